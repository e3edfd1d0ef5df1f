"""Directories that only this user can enter, and that go even if the service is killed.

A service holds the lock of its directory (flock(2)), which the kernel frees when the last of its
processes has ended. The next service to start removes the directories whose lock is free.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "sentiment."  # "sentiment-" was that of releases that hold no lock


@contextlib.contextmanager
def private_directory(parent: Path) -> Iterator[Path]:
    """A new directory of mode 0700 in ``parent``, gone afterwards.

    Raises:
        OSError: ``parent`` is no directory, can't be written to or is full.
    """
    _sweep(parent)
    directory, lock = _make(parent)
    try:
        probe = directory / "probe"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def live_directories(parent: Path) -> Iterator[Path]:
    """The directories in ``parent`` that belong to this user's running services."""
    for directory in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = _open(directory)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield directory
            finally:
                os.close(descriptor)


def _make(parent: Path) -> tuple[Path, int]:
    while True:
        directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        with contextlib.suppress(OSError):
            descriptor = _open(directory)
            with contextlib.suppress(OSError):  # some network file systems lock no directories
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if directory.exists():  # else another service swept it before it was locked
                return directory, descriptor
            os.close(descriptor)


def _sweep(parent: Path) -> None:
    for directory in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = _open(directory)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
            finally:
                os.close(descriptor)


def _open(directory: Path) -> int:
    """Raises OSError if it is no directory of this user's, or is gone."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    if os.fstat(descriptor).st_uid != os.geteuid():
        os.close(descriptor)
        raise PermissionError(f"{directory} belongs to another user")
    return descriptor
