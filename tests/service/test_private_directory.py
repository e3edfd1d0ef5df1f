"""Directories that killed services leave behind go; those of live ones stay."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.private_directory import PREFIX, live_directories, private_directory

HOLDER = """
import sys, time
from pathlib import Path
from service.private_directory import private_directory
with private_directory(Path(sys.argv[1])) as directory:
    (directory / "content").mkdir()
    print(directory, flush=True)
    sys.stdin.read()
"""


def start_holder(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    command = [sys.executable, "-c", HOLDER, str(parent)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    return holder, Path(holder.stdout.readline().strip())


def end(holder: subprocess.Popen[str], number: int | None = None) -> None:
    if number is not None:
        holder.send_signal(number)
    holder.communicate("")


def test_what_a_killed_process_left_is_swept_and_what_a_live_one_has_is_not(tmp_path: Path) -> None:
    killed, left = start_holder(tmp_path)
    alive, kept = start_holder(tmp_path)
    end(killed, signal.SIGKILL)
    assert left.is_dir()
    assert list(live_directories(tmp_path)) == [kept]
    with private_directory(tmp_path) as own:
        assert set(tmp_path.iterdir()) == {kept, own}
        assert own.stat().st_mode & 0o777 == 0o700
    end(alive)
    assert list(tmp_path.iterdir()) == []


def test_only_directories_of_ours_are_swept(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}file").write_text("")
    (tmp_path / "sentiment-abcdefgh").mkdir()
    before = set(tmp_path.iterdir())
    with private_directory(tmp_path) as own:
        assert set(tmp_path.iterdir()) == {*before, own}
    assert set(tmp_path.iterdir()) == before


def test_what_another_user_left_stays(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory of another user's")
    others = tmp_path / f"{PREFIX}others"
    others.mkdir()
    os.chown(others, 12345, 12345)
    with private_directory(tmp_path) as own:
        assert set(tmp_path.iterdir()) == {others, own}
    shutil.rmtree(others)
