import json
from pathlib import Path

import numpy as np
import pytest

from service.engine.backends import BackendError
from service.engine.backends.registry import BACKENDS
from service.engine.bundle import BundleError
from service.engine.golden import prove_backend, prove_tokenizer, read_golden
from service.engine.logits import Logits
from service.engine.ragged_batch import RaggedBatch
from service.engine.tokenizer import TextTokenizer
from tests.service.engine.small_bundle import GOLDEN, write_bundle


class TableBackend:
    """Answers the golden texts from a table, shifted by ``error``."""

    name = "onnx"

    def __init__(self, error: float = 0.0) -> None:
        self._logits = {
            tuple(entry["token_ids"]): np.array(entry["logits"], np.float32) for entry in GOLDEN
        }
        self._error = np.array([error, -error], np.float32)

    def logits(self, batch: RaggedBatch) -> Logits:
        texts = np.split(batch.token_ids, batch.offsets[1:-1])
        if batch.longest == 9:
            return np.zeros((1, 2), np.float32)
        return np.stack([self._logits[tuple(text)] + self._error for text in texts])

    def executed_tokens(self, batch: RaggedBatch) -> int:
        return batch.tokens


def test_a_backend_that_reproduces_the_golden_answers_is_proven(tmp_path: Path) -> None:
    golden = read_golden(write_bundle(tmp_path))
    assert prove_backend(TableBackend(), golden, 9) == 0.0
    assert (
        0.0 < prove_backend(TableBackend(error=1e-5), golden, 9) < BACKENDS["onnx"].golden_tolerance
    )


@pytest.mark.parametrize("error", [0.01, float("nan"), float("inf")])
def test_a_backend_that_is_off_is_refused(tmp_path: Path, error: float) -> None:
    golden = read_golden(write_bundle(tmp_path))
    with np.errstate(invalid="ignore"), pytest.raises(BackendError, match="does not reproduce"):
        prove_backend(TableBackend(error), golden, 9)


def test_a_tokenizer_of_another_bundle_is_refused(tmp_path: Path) -> None:
    other = [{**GOLDEN[0], "token_ids": [3, 1]}, GOLDEN[1]]
    bundle = write_bundle(tmp_path, {"golden.json": json.dumps(other).encode()})
    with pytest.raises(BundleError, match="do not belong together: text 0"):
        prove_tokenizer(TextTokenizer(bundle), read_golden(bundle))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'[{"text": "a", "token_ids": [1], "logits": [1.0]}]', b"[{}]"],
)
def test_golden_answers_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    bundle = write_bundle(tmp_path, {"golden.json": content})
    with pytest.raises(BundleError, match=r"golden\.json"):
        read_golden(bundle)
