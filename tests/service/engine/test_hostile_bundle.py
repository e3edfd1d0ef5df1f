"""A bundle can't bite: whatever its maker put in, it is refused with a sentence, nothing of it
is executed or read from elsewhere, and memory stays bounded."""

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from tests.service.engine.hostile_bundle import (
    change_manifest,
    change_tokenizer,
    copy_of_good_bundle,
    opening,
    seal,
)

# A good bundle takes half of it.
PEAK_BYTES_LIMIT = 512 << 20
# Importing torch alone takes most of it.
PEAK_BYTES_LIMIT_WITH_TORCH = 1 << 30


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return copy_of_good_bundle(tmp_path)


def assert_refused(bundle: Path, why: str, **how: Any) -> None:
    opened = opening(bundle, **how)
    assert opened.sentence != ""
    assert why in opened.sentence
    assert "\n" not in opened.sentence
    with_torch = how.get("trusted", False)
    assert opened.peak_bytes < (PEAK_BYTES_LIMIT_WITH_TORCH if with_torch else PEAK_BYTES_LIMIT)


def test_the_good_bundle_opens_within_the_limit(bundle: Path) -> None:
    opened = opening(bundle)
    assert opened.sentence == ""
    assert opened.peak_bytes < PEAK_BYTES_LIMIT


def replace_by_symbolic_link(file: Path) -> None:
    elsewhere = file.parent.parent / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def replace_by_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def replace_by_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def lengthen(file: Path) -> None:
    with file.open("r+b") as growing:
        growing.truncate(1 << 40)  # sparse: it takes no room on the disk


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (Path.unlink, "can't be read: No such file"),
        (replace_by_symbolic_link, "is a symbolic link, which is not followed"),
        (replace_by_fifo, "is not a regular file"),
        (replace_by_directory, "is not a regular file"),
        (cut_short, ""),
        (lengthen, "more than"),
    ],
)
@pytest.mark.parametrize("name", ["manifest.json", "tokenizer.json"])
def test_a_file_that_is_not_the_plain_file_of_the_manifest_is_refused(
    bundle: Path, name: str, spoil: Callable[[Path], object], why: str
) -> None:
    spoil(bundle / name)
    assert_refused(bundle, why)


def test_a_file_with_one_bit_changed_is_refused(bundle: Path) -> None:
    content = bytearray((bundle / "tokenizer.json").read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / "tokenizer.json").write_bytes(content)
    assert_refused(bundle, "is not the file that its manifest names")


@pytest.mark.parametrize("name", ["model.int8.onnx", "model.ts", "weights.safetensors"])
def test_a_damaged_file_that_nobody_asks_for_refuses_the_whole_bundle(
    bundle: Path, name: str
) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    assert_refused(bundle, f"{name} is not the file that its manifest names", backend="onnx")


def test_swapped_files_are_refused(bundle: Path) -> None:
    shutil.copy(bundle / "model.int8.onnx", bundle / "model.onnx")
    assert_refused(bundle, "bytes, its manifest says")


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["files"]["model.onnx"].update(size=1 << 60),
        lambda manifest: manifest["files"]["golden.json"].update(size=1 << 28),
        lambda manifest: manifest["sizes"].update(vocabulary=1 << 60),
        lambda manifest: manifest["sizes"].update(hidden=10**400),
        lambda manifest: manifest.update(max_tokens=1 << 40),
        lambda manifest: manifest.update(labels=["x" * 100_000, "y"]),
        lambda manifest: manifest.update(training={"x": "x" * (2 << 20)}),
        lambda manifest: manifest.update(metrics={"accuracy": float("nan")}),
        lambda manifest: manifest["files"].update(
            {"../elsewhere": {"sha256": "0" * 64, "size": 1}}
        ),
        lambda manifest: manifest["files"].update({f"f{n}": {} for n in range(1000)}),
    ],
)
def test_a_manifest_with_impossible_sizes_or_names_is_refused(
    bundle: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    change_manifest(bundle, change)
    assert_refused(bundle, str(bundle))


def test_a_deeply_nested_manifest_is_refused(bundle: Path) -> None:
    text = (bundle / "manifest.json").read_text()
    nested = '"training": {"x": ' + "[" * 400_000 + "]" * 400_000 + "}"
    (bundle / "manifest.json").write_text(text.replace('"training"', f'{nested}, "training"', 1))
    assert_refused(bundle, "manifest.json")


def external_model(location: str) -> bytes:
    """A model whose only tensor is said to lie in another file."""
    tensor = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return model_of([helper.make_node("Identity", ["weight"], ["logits"])], [tensor])


def model_of(nodes: list[Any], tensors: list[Any]) -> bytes:
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [], [output], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("location", ["weights.bin", "../../etc/passwd", "/etc/passwd"])
def test_an_onnx_file_with_external_data_is_refused(bundle: Path, location: str) -> None:
    (bundle / "weights.bin").write_bytes(np.ones(4, np.float32).tobytes())
    seal(bundle, "model.onnx", external_model(location))
    assert_refused(bundle, "model.onnx keeps tensors in another file, which is never read")


def test_an_onnx_file_with_external_data_inside_a_node_is_refused(bundle: Path) -> None:
    model = onnx.load_from_string(external_model("weights.bin"))
    constant = helper.make_node("Constant", [], ["weight"], value=model.graph.initializer[0])
    seal(bundle, "model.onnx", model_of([constant, *model.graph.node], []))
    assert_refused(bundle, "keeps tensors in another file")


def test_an_onnx_file_that_asks_for_endless_memory_is_refused(bundle: Path) -> None:
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [4 * 10**9])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceProd", ["zeros"], ["logits"]),
    ]
    seal(bundle, "model.onnx", model_of(nodes, [shape]))
    assert_refused(bundle, "onnx")


def squared_model(bundle: Path) -> bytes:
    """The good model and beside it a tensor of time by time by 64 numbers that comes to nothing."""
    model = onnx.load_from_string((bundle / "model.onnx").read_bytes())
    answer = model.graph.output[0].name
    model.graph.node.extend(
        [
            helper.make_node("Shape", ["token_ids"], ["shape_"]),
            helper.make_node("Gather", ["shape_", "one_"], ["time_"]),
            helper.make_node("Concat", ["time_", "time_", "depth_"], ["cube_"], axis=0),
            helper.make_node("ConstantOfShape", ["cube_"], ["zeros_"]),
            helper.make_node("ReduceProd", ["zeros_"], ["nothing_"], keepdims=0),
            helper.make_node("Add", [answer, "nothing_"], ["answer_"]),
        ]
    )
    for name, number in (("one_", 1), ("depth_", 64)):
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [1], [number]))
    model.graph.output[0].name = "answer_"
    return bytes(model.SerializeToString())


class Trap(torch.nn.Module):
    """Writes a file when it is asked to predict."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def forward(self, token_ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        written = torch.from_file(self.path, True, 16)
        return torch.zeros(token_ids.shape[0], 2) + written.sum()


@pytest.fixture
def trap(bundle: Path, tmp_path: Path) -> Path:
    """The file that the bundle's TorchScript writes if it is run."""
    path = tmp_path / "written-by-the-model"
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Trap(path)), buffer)
    seal(bundle, "model.ts", buffer.getvalue())
    return path


pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


def test_torchscript_from_elsewhere_is_not_run(bundle: Path, trap: Path) -> None:
    assert_refused(
        bundle,
        "TorchScript is a program: it is loaded only from the shipped bundle",
        backend="torchscript",
    )
    assert not trap.exists()


def test_the_trap_works_for_who_pins_its_digest(bundle: Path, trap: Path) -> None:
    assert opening(bundle, backend="torchscript", trusted=True).sentence != ""
    assert trap.exists()


def test_a_torchscript_zip_bomb_is_refused_even_when_pinned(bundle: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("model/data/0", bytes(257 << 20))
    seal(bundle, "model.ts", bomb.getvalue())
    assert_refused(bundle, "model.ts unpacks to", backend="torchscript", trusted=True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * (8 << 20),
        b'{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}',
        json.dumps(
            {"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 10**9}, "merges": []}}
        ).encode(),
        b" " * (33 << 20),
    ],
)
def test_a_tokenizer_that_does_not_fit_the_bundle_is_refused(bundle: Path, content: bytes) -> None:
    seal(bundle, "tokenizer.json", content)
    assert_refused(bundle, "tokenizer.json")


def replace(pattern: str, content: str, kind: str = "Regex") -> dict[str, Any]:
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def add_normalizers(*rules: dict[str, Any]) -> Callable[[dict[str, Any]], object]:
    return lambda tokenizer: tokenizer["normalizer"]["normalizers"].extend(rules)


DOUBLINGS = [replace(chr(0x4E00 + n), 2 * chr(0x4E01 + n), "String") for n in range(30)]
SPLIT = {"type": "Split", "pattern": {"Regex": r"\s+x"}, "behavior": "Isolated", "invert": False}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        # Growth: the doubling rules double a character that no golden text has.
        (add_normalizers(*DOUBLINGS), "may make a text 6.76e+09 times longer"),
        (add_normalizers(replace("ξ", "x" * 20_000)), "times longer"),
        (add_normalizers(replace("x*", "abcdefghi")), "times longer"),
        (add_normalizers(*[replace("a", "b")] * 100), "has more than 64 rules"),
        (add_normalizers(replace("x", "y" * 70_000)), "rules have more than 65536 characters"),
        # Time
        (add_normalizers(replace(r"\s+(?=n't)", "")), "can't be said that it is linear"),
        (add_normalizers(replace(r"(a+)+b", "")), "can't be said that it is linear"),
        (add_normalizers(replace(r"(?=.*x)", "")), "it looks around without bound"),
        (add_normalizers(replace(r"(?x: a)", "")), "in a way that is not understood"),
        (lambda found: found.update(pre_tokenizer=SPLIT), "can't be said that it is linear"),
        (lambda found: found["model"].update(dropout=0.5), "drops merges by chance"),
        (
            lambda found: found["added_tokens"].append(
                {
                    **{"id": 5, "content": "x", "single_word": False, "lstrip": True},
                    **{"rstrip": False, "normalized": False, "special": False},
                }
            ),
            "depends on what stands around it",
        ),
        # Kinds of which nothing is known
        (add_normalizers({"type": "Nmt"}), "a rule 'Nmt', of which nothing is known"),
        (lambda found: found.update(pre_tokenizer={"type": "Metaspace"}), "a rule 'Metaspace'"),
        (lambda found: found.update(post_processor={"type": "TemplateProcessing"}), "a rule 'Temp"),
        (lambda found: found.update(decoder={"type": "CTC"}), "a rule 'CTC'"),
        (lambda found: found["model"].update(type="Unigram"), "its model is 'Unigram'"),
    ],
)
def test_a_tokenizer_that_could_take_more_than_grows_with_the_text_is_refused(
    bundle: Path, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    change_tokenizer(bundle, change)
    assert_refused(bundle, why)


def test_a_tokenizer_that_takes_too_much_memory_is_refused_by_another_process(bundle: Path) -> None:
    # Tokens are keys of maps in both directions: 30 MB of them take twenty times that.
    many = {f"{number:x}": 0 for number in range(2_300_000)}
    change_tokenizer(bundle, lambda found: found["model"].update(vocab=many, merges=[]))
    assert_refused(bundle, "takes more memory or CPU time than any tokenizer should")


def test_golden_texts_that_would_take_minutes_to_tokenise_are_refused(bundle: Path) -> None:
    golden = [{"text": "\ufdfa" * 1_000_000, "token_ids": [1], "logits": [0, 0]}]
    seal(bundle, "golden.json", json.dumps(golden, ensure_ascii=False).encode())
    assert_refused(bundle, "can't encode text 0 of golden.json: the text has")


def test_an_onnx_file_that_takes_memory_by_the_square_of_the_text_is_refused(bundle: Path) -> None:
    seal(bundle, "model.onnx", squared_model(bundle))
    assert_refused(bundle, "onnx can't run a text of 4096 tokens")


@pytest.mark.parametrize(
    "golden",
    [
        [],
        [{"text": "a", "token_ids": [], "logits": [0, 0]}],
        [{"text": "a", "token_ids": [1 << 40], "logits": [0, 0]}],
        [{"text": "a", "token_ids": [-1], "logits": [0, 0]}],
        [{"text": "a", "token_ids": [1] * 300_000, "logits": [0, 0]}],
        [{"text": "a", "token_ids": [1], "logits": [0]}],
    ],
)
def test_golden_answers_that_no_model_gives_are_refused(bundle: Path, golden: object) -> None:
    seal(bundle, "golden.json", json.dumps(golden).encode())
    assert_refused(bundle, "golden.json")
