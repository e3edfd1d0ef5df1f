"""``verify`` keeps each of its promises: for each there is a bundle that breaks this one alone."""

import io
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from rich.console import Console
from torch import Tensor

from model_export.classifier import Classifier
from model_export.configuration import ModelConfiguration
from model_export.errors import ModelExportError
from model_export.generated_texts import generate_text
from model_export.verify import verify, verify_generated
from service.engine.bundle import Bundle, BundleError
from service.engine.golden import read_golden
from service.engine.tokenizer import TextTokenizer
from tests.model_export.random_bundle import write_random_bundle
from tests.model_export.signed_file import replace_file

BATCHES = "torchscript: batches of 1 to 64"
DEV_TEXTS = 120
# Beyond 1e-5 of probability, which the forms must keep, and within 1e-4, which golden answers must.
SLIGHTLY = 1e-4


class Shifted(torch.nn.Module):
    """A traced model whose first logit is off, by ``alone`` or in company by ``together``."""

    def __init__(self, model: torch.jit.ScriptModule, alone: float, together: float) -> None:
        super().__init__()
        self.model, self.alone, self.together = model, alone, together

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        logits: Tensor = self.model(token_ids, lengths)
        shift = self.together if token_ids.shape[0] > 1 else self.alone
        return logits + torch.tensor([shift, 0.0])


def shift_torchscript(bundle: Bundle, alone: float = 0.0, together: float = 0.0) -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # all of TorchScript is deprecated
        model = torch.jit.load(io.BytesIO(bundle.read("model.ts")))  # type: ignore[no-untyped-call]
        scripted = torch.jit.script(Shifted(model, alone, together))
        torch.jit.save(scripted, buffer)
    replace_file(bundle, "model.ts", buffer.getvalue())


def shifted_onnx(content: bytes, shift: float) -> bytes:
    """An ONNX model whose first logit is off by ``shift``."""
    model = onnx.load_from_string(content)
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name == "linear.bias")
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] += shift
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    serialized: bytes = model.SerializeToString()
    return serialized


def failures(bundle: Bundle, data: Path | None = None, oracle: bool = False) -> set[str]:
    report = verify(bundle.directory, data, Console(quiet=True), oracle)
    assert report.passed == (not report.failures)
    return {check.name for check in report.failures}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_random_bundle(tmp_path / "bundle")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated texts with the labels in turn."""
    directory = tmp_path_factory.mktemp("data")
    for name, count in (("train", 2), ("dev", DEV_TEXTS)):
        rows = [
            {"label": ("negative", "positive")[seed % 2], "text": generate_text(1 + seed % 9, seed)}
            for seed in range(count)
        ]
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return directory


def test_an_honest_bundle_passes(bundle: Bundle, data: Path) -> None:
    assert failures(bundle, data, oracle=True) == set()


def test_golden_answers_that_a_backend_misses_are_found(bundle: Bundle) -> None:
    shift_torchscript(bundle, alone=0.1)
    assert failures(bundle) == {"torchscript: golden answers"}


def test_a_backend_that_answers_with_no_number_is_found(bundle: Bundle) -> None:
    shift_torchscript(bundle, alone=float("nan"))
    assert failures(bundle) == {"torchscript: golden answers"}


def test_a_backend_that_is_off_alone_is_found(bundle: Bundle) -> None:
    shift_torchscript(bundle, alone=SLIGHTLY)
    (name,) = failures(bundle) - {BATCHES}  # one of the batches is of a single text
    assert name.startswith("torchscript: alone, ")


def test_a_backend_that_is_off_in_batches_is_found(bundle: Bundle) -> None:
    shift_torchscript(bundle, together=SLIGHTLY)
    assert failures(bundle) == {BATCHES}


def test_a_backend_that_is_off_on_dev_texts_is_found(bundle: Bundle, data: Path) -> None:
    shift_torchscript(bundle, together=SLIGHTLY)
    assert failures(bundle, data) == {BATCHES, f"torchscript: {DEV_TEXTS} dev texts"}


def test_a_backend_that_is_off_in_company_is_found_by_the_equations(bundle: Bundle) -> None:
    shift_torchscript(bundle, together=SLIGHTLY)
    assert failures(bundle, oracle=True) == {BATCHES, "oracle: torchscript, texts together"}


def test_a_quantised_backend_that_gives_other_labels_is_found(tmp_path: Path, data: Path) -> None:
    # Answers near one half, so that what golden answers allow changes many labels.
    backends = ("torchscript", "onnx", "onnx-int8")
    bundle = write_random_bundle(tmp_path, certainty=1.0, backends=backends)
    exact = bundle.read("model.onnx")
    margins = [entry.logits[0] - entry.logits[1] for entry in read_golden(bundle)]
    replace_file(bundle, "model.int8.onnx", exact)
    assert failures(bundle, data) == set()
    replace_file(bundle, "model.int8.onnx", shifted_onnx(exact, -2 * float(np.median(margins))))
    assert failures(bundle, data) == {f"onnx-int8: labels of {DEV_TEXTS} dev texts"}


def test_a_tokenizer_that_is_not_that_of_the_golden_answers_is_refused(bundle: Bundle) -> None:
    golden = json.loads(bundle.read("golden.json"))
    golden[0]["token_ids"] = [*golden[0]["token_ids"][::-1], 0]
    replace_file(bundle, "golden.json", json.dumps(golden).encode())
    with pytest.raises(BundleError, match="do not belong together"):
        failures(bundle)


def test_data_without_dev_texts_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"label": "positive", "text": "good"}\n')
    with pytest.raises(ModelExportError, match="holds no dev"):
        failures(bundle, tmp_path)


class Unpacked(Classifier):
    """The network that takes padding for text."""

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        return super().forward(token_ids, torch.full_like(lengths, token_ids.shape[1]))


def test_a_network_that_reads_padding_is_found(bundle: Bundle) -> None:
    torch.manual_seed(0)
    sizes = ModelConfiguration(embedding_size=6, hidden_size=8)
    network = Unpacked(sizes, bundle.manifest.sizes.vocabulary, 2).eval()
    texts = TextTokenizer(bundle).encode([generate_text(words, words) for words in (1, 5, 20)])
    (check,) = verify_generated(texts, network, [], Console(quiet=True))
    assert (check.name, check.passed) == ("eager: batched as alone", False)
