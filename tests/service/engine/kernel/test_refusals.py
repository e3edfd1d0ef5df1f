"""Whatever is wrong is said in one sentence, and nothing crashes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from service.engine.backends import BackendError
from service.engine.backends.selection import open_backend
from service.engine.bundle import Bundle
from service.engine.kernel import KernelError
from service.engine.kernel.library import LIBRARY, Library, load_library
from service.engine.kernel.packed_kernel import PackedKernel
from service.engine.kernel.prepared_model import prepare
from tests.service.engine.kernel.random_model import Array, Model
from tests.service.engine.small_bundle import write_bundle

COMPILED = Path(load_library().functions._name)


def changed(name: str, value: Array | None) -> bytes:
    tensors = Model().tensors()
    tensors.pop(name) if value is None else tensors.update({name: value})
    return save(tensors)


WEIGHTS = {
    "cut off": (save(Model().tensors())[:-1], "has other bytes for"),
    "empty": (b"", "is cut off or no safetensors file"),
    "garbage": (b"garbage" * 9, "is cut off or no safetensors file"),
    "header of no JSON": ((2).to_bytes(8, "little") + b"{[", "header that is no JSON object"),
    "no linear layer": (changed("linear.weight", None), "lacks a matrix linear.weight"),
    "no bias": (changed("linear.bias", None), "lacks linear.bias"),
    "another shape": (
        changed("recurrent.weight_ih_l0", np.zeros((64, 6), np.float32)),
        r"has recurrent.weight_ih_l0 of shape \(64, 6\), not \(64, 7\)",
    ),
    "NaN": (changed("linear.bias", np.array([0, np.nan], np.float32)), "not finite or beyond 1e4"),
    "infinite": (changed("linear.bias", np.array([0, np.inf], np.float32)), "not finite"),
    "absurd": (changed("linear.bias", np.array([0, 1e5], np.float32)), "not finite or beyond 1e4"),
    "hidden size": (save(Model(hidden=100).tensors()), "multiples of 16 up to 512, not 100"),
    "too wide": (save(Model(hidden=528).tensors()), "multiples of 16 up to 512, not 528"),
    "too deep": (save(Model(layers=5).tensors()), "at most 4 layers, not 5"),
}


@pytest.mark.parametrize(("content", "sentence"), WEIGHTS.values(), ids=WEIGHTS)
def test_weights_that_it_can_not_compute_are_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(KernelError, match=sentence):
        prepare(content, "lstm")


def test_a_cell_or_an_instruction_set_that_there_is_not_is_refused() -> None:
    content = save(Model().tensors())
    with pytest.raises(KernelError, match="computes rnn, gru and lstm, not transformer"):
        prepare(content, "transformer")
    with pytest.raises(KernelError, match=r"this processor lacks abacus; it has .*reference"):
        prepare(content, "lstm", instruction_set="abacus")


BATCHES = {
    "empty": ([], [0], "the batch is empty"),
    "text without tokens": ([1, 2], [0, 1, 1, 2], "a text has no tokens"),
    "falling offsets": ([1, 2], [0, 2, 1, 2], "a text has no tokens"),
    "beyond the tokens": ([1, 2], [0, 3], "end at the number of tokens"),
    "before the tokens": ([1, 2], [-1, 2], "must begin at 0"),
    "too large an id": ([1, 50], [0, 2], "a token id is not in the vocabulary"),
    "a negative id": ([-1, 2], [0, 2], "a token id is not in the vocabulary"),
}


@pytest.mark.parametrize(("token_ids", "offsets", "sentence"), BATCHES.values(), ids=BATCHES)
def test_a_bad_batch_is_refused_and_the_next_one_answered(
    token_ids: list[int], offsets: list[int], sentence: str
) -> None:
    kernel = Model().kernel()
    with pytest.raises(KernelError, match=sentence):
        kernel.logits(np.array(token_ids, np.int32), np.array(offsets))
    assert kernel.logits(np.array([49], np.int32), np.array([0, 1])).shape == (1, 2)


def test_token_ids_of_another_type_are_refused() -> None:
    with pytest.raises(KernelError, match="token ids must be int32"):
        Model().kernel().logits(np.array([1], np.int64), np.array([0, 1]))


def test_prepared_weights_that_were_damaged_are_refused() -> None:
    blob = prepare(save(Model().tensors()), "lstm")
    with pytest.raises(KernelError, match="not of this kernel"):
        PackedKernel(memoryview(blob)[:-64])
    for place in (0, 8, 20, 40, 200, 256, 300):  # all of the header
        blob[place] ^= 1
        with pytest.raises(KernelError, match=r"not of this kernel|lacks the instruction set"):
            PackedKernel(blob)
        blob[place] ^= 1
    PackedKernel(blob)


def refusal(path: Path) -> str:
    """What a process of its own says that opens the library: a crash would be its end."""
    program = (
        "import sys, pathlib\nfrom service.engine.kernel import KernelError\n"
        "from service.engine.kernel.library import Library\n"
        "try: Library(pathlib.Path(sys.argv[1]))\nexcept KernelError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_library_that_is_missing_says_how_to_compile_it(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"not compiled .*run python -m service.engine.kernel"):
        Library(tmp_path / LIBRARY)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.1, 0.5, 0.99])
def test_a_library_that_is_cut_off_is_refused(tmp_path: Path, kept: float) -> None:
    content = COMPILED.read_bytes()
    (tmp_path / LIBRARY).write_bytes(content[: int(kept * len(content))])
    assert refusal(tmp_path / LIBRARY).endswith("is cut off or no library")


def test_another_library_is_refused() -> None:
    libraries = Path("/proc/self/maps").read_text().split()
    libc = next(path for path in libraries if "/libc.so" in path or "/libc-" in path)
    assert "is no library of the packed kernel" in refusal(Path(libc))


def test_a_library_of_another_version_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "other.c"
    source.write_text("int packed_abi(void) { return 99; }")
    command = ["cc", "-shared", "-fPIC", str(source), "-o", str(tmp_path / LIBRARY)]
    subprocess.run(command, check=True)
    assert "interface 99, this service needs 1" in refusal(tmp_path / LIBRARY)


@pytest.mark.parametrize("name", ["packed", "packed-int8"])
def test_the_backend_hands_the_sentence_on(tmp_path: Path, name: str) -> None:
    sizes = {"vocabulary": 50, "embedding": 7, "hidden": 100, "layers": 1, "directions": 2}
    content = {"weights.safetensors": save(Model(hidden=100).tensors())}
    bundle: Bundle = write_bundle(tmp_path, content, sizes=sizes)
    with pytest.raises(BackendError, match="multiples of 16 up to 512, not 100"):
        open_backend(name, bundle, "cpu", 1, trust_torchscript=False)
