import hashlib
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from service.engine.bundle import HELD_BYTES_LIMIT, MANIFEST_BYTES_LIMIT, Bundle, BundleError
from tests.service.engine.small_bundle import write_bundle


def refusal(directory: Path) -> str:
    with pytest.raises(BundleError) as refused:
        Bundle(directory).read("golden.json")
    assert "\n" not in str(refused.value)
    assert str(directory) in str(refused.value)
    return str(refused.value)


def test_a_sound_bundle_gives_its_files_and_is_named_by_its_manifest(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path)
    assert bundle.read("golden.json") == (tmp_path / "golden.json").read_bytes()
    manifest = (tmp_path / "manifest.json").read_bytes()
    assert bundle.digest == hashlib.sha256(manifest).hexdigest()


def test_a_directory_that_is_missing_or_a_file(tmp_path: Path) -> None:
    assert "no such directory" in refusal(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert "no such directory" in refusal(tmp_path / "file")


@pytest.mark.parametrize("name", ["manifest.json", "golden.json"])
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path)
    (tmp_path / name).unlink()
    assert f"{name} can't be read" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "golden.json"])
def test_a_symbolic_link_is_not_followed(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path / "bundle")
    content = (tmp_path / "bundle" / name).read_bytes()
    (tmp_path / "elsewhere").write_bytes(content)
    (tmp_path / "bundle" / name).unlink()
    (tmp_path / "bundle" / name).symlink_to(tmp_path / "elsewhere")
    assert f"{name} is a symbolic link" in refusal(tmp_path / "bundle")


def test_a_directory_or_a_pipe_in_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    (tmp_path / "golden.json").unlink()
    (tmp_path / "golden.json").mkdir()
    assert "not a regular file" in refusal(tmp_path)
    (tmp_path / "golden.json").rmdir()
    os.mkfifo(tmp_path / "golden.json")
    assert "not a regular file" in refusal(tmp_path)


def test_one_flipped_bit_is_found(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    content = bytearray((tmp_path / "golden.json").read_bytes())
    content[5] ^= 1
    (tmp_path / "golden.json").write_bytes(content)
    assert "sha256 differs" in refusal(tmp_path)


@pytest.mark.parametrize("change", [b"", b"more"])
def test_a_file_that_was_cut_or_has_grown(tmp_path: Path, change: bytes) -> None:
    write_bundle(tmp_path)
    path = tmp_path / "golden.json"
    path.write_bytes(path.read_bytes() + change if change else path.read_bytes()[:-1])
    assert "bytes" in refusal(tmp_path)


def test_a_file_of_another_bundle(tmp_path: Path) -> None:
    write_bundle(tmp_path / "one")
    write_bundle(tmp_path / "two", {"golden.json": b"[]"})
    (tmp_path / "one" / "golden.json").write_bytes((tmp_path / "two" / "golden.json").read_bytes())
    refusal(tmp_path / "one")


def test_a_newer_format_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="format is not version 1"):
        write_bundle(tmp_path, format_version=2, something_new=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../sentiment"),
        ("labels", ["one"]),
        ("labels", ["same", "same"]),
        ("cell", "transformer"),
        ("max_tokens", 0),
        ("unknown", 1),
        ("sizes", {"vocabulary": 4}),
        ("files", {"golden.json": {"sha256": "short", "size": 1}}),
        ("files", {"golden.json": {"sha256": "0" * 64, "size": 1 << 40}}),
    ],
)
def test_an_impossible_manifest_is_refused_by_field(tmp_path: Path, field: str, value: Any) -> None:
    with pytest.raises(BundleError, match=field):
        write_bundle(tmp_path, **{field: value})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 10_000])
def test_a_manifest_that_is_no_manifest(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    assert "manifest.json" in refusal(tmp_path)


def test_a_manifest_without_end_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "manifest.json").open("wb") as file:
        file.truncate(MANIFEST_BYTES_LIMIT + 1)
    assert f"more than {MANIFEST_BYTES_LIMIT}" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "manifest.json"])
def test_only_what_the_manifest_names_is_read(tmp_path: Path, name: str) -> None:
    bundle = write_bundle(tmp_path)
    with pytest.raises(BundleError, match="has no"):
        bundle.read(name)


@pytest.mark.parametrize("name", ["../outside.json", "deep/file.json", "/etc/hostname", ".."])
def test_a_manifest_names_files_of_its_own_directory_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="files"):
        write_bundle(tmp_path, files={name: {"sha256": "0" * 64, "size": 1}})


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[2Jescape", "long" * 10_000])
def test_a_refusal_is_one_printable_sentence_whatever_a_file_is_called(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(BundleError, match="files") as refused:
        write_bundle(tmp_path, files={name: {"sha256": "0" * 64, "size": 1}})
    sentence = str(refused.value)
    assert sentence.isprintable()
    assert len(sentence) < 1000


def test_a_held_bundle_needs_its_directory_no_more_wherever_it_is_sent(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", {"unused.bin": b"\0" * 9})
    contents = {name: bundle.read(name) for name in bundle.manifest.files}
    bundle.hold()
    shutil.rmtree(tmp_path / "bundle")
    sent = pickle.loads(pickle.dumps(bundle))
    for held in (bundle, sent):
        assert {name: held.read(name) for name in held.manifest.files} == contents
        assert held.digest == bundle.digest
        with pytest.raises(BundleError, match="has no secret"):
            held.read("secret")


@pytest.mark.parametrize("change", [b"", b"more", b"damaged.."])
def test_a_bundle_is_not_held_if_any_file_is_damaged_be_it_needed_or_not(
    tmp_path: Path, change: bytes
) -> None:
    bundle = write_bundle(tmp_path, {"unused.bin": b"\0" * 9})
    (tmp_path / "unused.bin").write_bytes(change)
    with pytest.raises(BundleError, match=r"unused\.bin"):
        bundle.hold()


def test_a_bundle_too_large_to_be_held_is_refused_before_it_is_read(tmp_path: Path) -> None:
    size = HELD_BYTES_LIMIT // 2 + 1
    entry = {"sha256": "0" * 64, "size": size}
    bundle = write_bundle(tmp_path, files={"one": entry, "two": entry})
    with pytest.raises(BundleError, match=f"has {2 * size} bytes"):
        bundle.hold()
