import importlib.util
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.backends import Backend, BackendError
from service.engine.backends.registry import BACKENDS, BackendName
from service.engine.backends.selection import open_backend, select_backend
from service.engine.bundle import Bundle
from service.engine.golden import read_golden
from service.engine.logits import Probabilities, softmax
from service.engine.ragged_batch import RaggedBatch
from tests.service.engine.small_bundle import write_bundle

CUDA_IS_THERE = Path("/dev/nvidia0").exists()
HAS_TORCH = importlib.util.find_spec("torch") is not None
NAMES = [name for name in BACKENDS if HAS_TORCH or name != "torchscript"]
# The others are told from these by what their golden tolerance allows for.
EXACT = [name for name in NAMES if BACKENDS[name].golden_tolerance <= 1e-4]


@pytest.fixture(scope="session")
def backends(bundle: Bundle) -> dict[str, Backend]:
    return {name: open_backend(name, bundle, "cpu", 1, trust_torchscript=True) for name in NAMES}


@pytest.fixture(autouse=True)
def _keep_denormals() -> Iterator[None]:
    """The TorchScript backend flushes denormals for its whole process: undone for other tests."""
    yield
    if HAS_TORCH:
        import torch

        torch.set_flush_denormal(False)


def probabilities(backend: Backend, texts: list[list[int]]) -> Probabilities:
    batch = RaggedBatch.of([np.array(text, np.int32) for text in texts])
    return softmax(backend.logits(batch))  # (texts, labels)


@pytest.mark.parametrize("name", NAMES)
def test_each_backend_reproduces_the_golden_answers(bundle: Bundle, name: BackendName) -> None:
    selection = select_backend(name, bundle, read_golden(bundle), "cpu", 1, True, 64)
    assert selection.backend.name == name
    assert selection.reason.startswith("requested; golden answers reproduced within")


def test_on_a_cpu_onnx_is_chosen_by_itself(bundle: Bundle) -> None:
    selection = select_backend("auto", bundle, read_golden(bundle), "cpu", 1, True, 64)
    assert selection.backend.name == "onnx"
    assert "first to work on cpu" in selection.reason


@pytest.mark.skipif(CUDA_IS_THERE, reason="this machine has a CUDA device")
def test_without_a_cuda_device_every_candidate_says_what_is_missing(bundle: Bundle) -> None:
    with pytest.raises(BackendError) as refusal:
        select_backend("auto", bundle, read_golden(bundle), "cuda:0", 1, True, 64)
    assert "torchscript: " in str(refusal.value)
    assert "onnx: this ONNX Runtime has no CUDA" in str(refusal.value)


def test_torchscript_is_not_loaded_from_a_bundle_that_nobody_vouches_for(bundle: Bundle) -> None:
    with pytest.raises(BackendError, match=f"--bundle-digest {bundle.digest}"):
        select_backend("torchscript", bundle, read_golden(bundle), "cpu", 1, False, 64)


def test_a_model_that_belongs_to_another_bundle_is_refused(bundle: Bundle) -> None:
    golden = [
        entry.model_copy(update={"logits": entry.logits[::-1]}) for entry in read_golden(bundle)
    ]
    with pytest.raises(BackendError, match="onnx: onnx does not reproduce"):
        select_backend("onnx", bundle, golden, "cpu", 1, True, 64)


def test_auto_passes_over_what_the_bundle_was_not_verified_with(tmp_path: Path) -> None:
    unverified = write_bundle(tmp_path, backends=["onnx-int8"])
    with pytest.raises(BackendError, match="onnx: the bundle was not verified with it"):
        select_backend("auto", unverified, read_golden(unverified), "cpu", 1, True, 64)


def test_a_backend_is_not_opened_on_a_device_that_it_does_not_run_on(bundle: Bundle) -> None:
    with pytest.raises(BackendError, match="onnx-int8: it does not run on cuda:0"):
        select_backend("onnx-int8", bundle, read_golden(bundle), "cuda:0", 1, True, 64)


def test_executed_tokens_count_padding_only_where_it_is_computed(
    backends: dict[str, Backend],
) -> None:
    batch = RaggedBatch.of([np.ones(length, np.int32) for length in (3, 9, 1)])
    executed = {name: backend.executed_tokens(batch) for name, backend in backends.items()}
    assert executed["onnx"] == executed["onnx-int8"] == 3 * 9
    assert executed["packed"] == executed["packed-int8"] == executed.get("torchscript", 13) == 13


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_no_model_is_refused_in_one_sentence(
    bundle: Bundle, tmp_path: Path, name: BackendName
) -> None:
    garbage = {kind.file: b"garbage" for kind in BACKENDS.values()}
    broken = write_bundle(tmp_path, garbage)
    with pytest.raises(BackendError, match=f"{name}: ") as refusal:
        select_backend(name, broken, read_golden(bundle), "cpu", 1, True, 64)
    assert re.search(
        r"is (not an? (ONNX file|TorchScript archive)|cut off or no safetensors file)",
        str(refusal.value),
    )


def test_a_model_whose_bytes_changed_is_never_run(bundle: Bundle, tmp_path: Path) -> None:
    for name in ("manifest.json", "golden.json", "model.onnx"):
        shutil.copyfile(bundle.directory / name, tmp_path / name)
    content = bytearray((tmp_path / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.onnx").write_bytes(content)
    changed = Bundle(tmp_path)
    with pytest.raises(BackendError, match="sha256 differs"):
        select_backend("auto", changed, read_golden(changed), "cpu", 1, True, 64)


@settings(max_examples=15)
@given(st.lists(st.lists(st.integers(0, 999), min_size=1, max_size=120), min_size=1, max_size=12))
def test_company_changes_no_fp32_score(
    backends: dict[str, Backend], texts: list[list[int]]
) -> None:
    for name in EXACT:
        together = probabilities(backends[name], texts)
        for row, text in enumerate(texts):
            alone = probabilities(backends[name], [text])[0]
            assert np.abs(together[row] - alone).max() <= 1e-5


def test_the_backends_agree_on_lengths_from_one_to_two_thousand(
    backends: dict[str, Backend], bundle: Bundle
) -> None:
    numbers = np.random.default_rng(1)
    rows = min(bundle.manifest.sizes.vocabulary, 1000)
    texts = [numbers.integers(0, rows, length).tolist() for length in (1, 2, 30, 500, 2048)]
    reference = probabilities(backends["onnx"], texts)
    for name in NAMES:
        difference = np.abs(probabilities(backends[name], texts) - reference).max()
        assert difference <= BACKENDS[name].golden_tolerance


def test_the_manifest_says_which_backends_were_verified(bundle: Bundle) -> None:
    assert set(bundle.manifest.backends) <= set(BACKENDS)
    assert json.loads((bundle.directory / "manifest.json").read_text())["backends"]
