"""The archive unpacks to the bundle and is the same bytes wherever it is made."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from release.bundle_archive import archive_bundle, checksums
from service.engine.bundle import Bundle, BundleError
from tests.service.engine.small_bundle import write_bundle


def test_two_archives_of_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    first = write_bundle(tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "second", copy_function=shutil.copyfile)
    for path in (tmp_path / "second").iterdir():
        path.chmod(0o600)
        os.utime(path, (0, 0))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = archive_bundle(first, tmp_path / "a")
    other = archive_bundle(Bundle(tmp_path / "second"), tmp_path / "b")
    assert one.read_bytes() == other.read_bytes()


def test_it_unpacks_to_the_same_bundle(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    archive = archive_bundle(bundle, tmp_path)
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "unpacked", filter="data")
    unpacked = Bundle(tmp_path / "unpacked" / archive.name.removesuffix(".tar.gz"))
    assert unpacked.digest == bundle.digest
    for name in bundle.manifest.files:
        assert unpacked.read(name) == bundle.read(name)


def test_a_file_that_was_changed_is_never_released(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    with (tmp_path / "bundle/golden.json").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(BundleError):
        archive_bundle(bundle, tmp_path)


def test_sha256sum_accepts_the_checksums(tmp_path: Path) -> None:
    archive_bundle(write_bundle(tmp_path / "bundle"), tmp_path)
    shutil.rmtree(tmp_path / "bundle")
    (tmp_path / "SHA256SUMS").write_text(checksums(tmp_path))
    subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path, check=True)
