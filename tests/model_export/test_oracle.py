"""The oracle answers as the equations say, from nothing but the weights of a bundle."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from model_export.oracle import Oracle
from model_export.shape_contract import ShapeError
from service.engine.bundle import Bundle, BundleError
from tests.model_export.recurrent_cases import MODULES, as_tuple, assert_close, numpy

VOCABULARY, EMBEDDING, HIDDEN, LABELS = 11, 3, 4, 3
TEXTS = [np.array(ids, np.int32) for ids in ([4, 2], [1, 5, 9, 10, 3], [7], [0, 0, 8])]


class Network(torch.nn.Module):
    def __init__(self, cell: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = torch.nn.Embedding(VOCABULARY, EMBEDDING, dtype=torch.float16)
        self.recurrent = MODULES[cell](EMBEDDING, HIDDEN, 2, batch_first=True, bidirectional=True)
        self.linear = torch.nn.Linear(2 * HIDDEN, LABELS)


def write_bundle(directory: Path, network: Network, cell: str) -> Bundle:
    content = save(network.state_dict())
    (directory / "weights.safetensors").write_bytes(content)
    manifest = {
        "format_version": 1,
        "name": "oracle",
        "version": "1.0.0",
        "labels": ["a", "b", "c"],
        "cell": cell,
        "sizes": {
            "vocabulary": VOCABULARY,
            "embedding": EMBEDDING,
            "hidden": HIDDEN,
            "layers": 2,
            "directions": 2,
        },
        "max_tokens": 64,
        "backends": [],
        "training": {},
        "metrics": {},
        "files": {
            "weights.safetensors": {
                "sha256": hashlib.sha256(content).hexdigest(),
                "size": len(content),
            }
        },
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return Bundle(directory)


@pytest.mark.parametrize("cell", sorted(MODULES))
def test_its_logits_are_those_of_the_network_run_text_by_text(cell: str, tmp_path: Path) -> None:
    network = Network(cell)
    oracle = Oracle(write_bundle(tmp_path, network, cell))
    network.double()
    with torch.no_grad():
        for row, text in zip(oracle.logits(TEXTS), TEXTS, strict=True):
            _, state = network.recurrent(network.embedding(torch.from_numpy(text)))
            h = as_tuple(state)[0]  # (layers * 2, hidden)
            expected = network.linear(torch.cat([h[-2], h[-1]]))
            assert_close(row, numpy(expected), torch.float64)


def test_weights_that_the_manifest_does_not_name_are_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path, Network("lstm"), "lstm")
    content = bytearray((tmp_path / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(BundleError, match="sha256 differs"):
        Oracle(bundle)


def test_weights_of_another_cell_than_the_manifest_says_are_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path, Network("gru"), "lstm")
    with pytest.raises(ShapeError, match=r"expected \(16,\), given \(12,\)"):
        Oracle(bundle)
