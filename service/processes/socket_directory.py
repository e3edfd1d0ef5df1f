"""Where the Unix sockets between API processes and workers live."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from service.settings import SettingError, Settings
from service.worker.inference_loop import socket_path

UNIX_PATH_BYTES_LIMIT = 107  # sun_path, less its final zero: unix(7)


@contextlib.contextmanager
def private_socket_directory(settings: Settings) -> Iterator[Path]:
    """A directory that only this user can enter, for the Unix sockets; gone afterwards."""
    try:
        directory = Path(tempfile.mkdtemp(prefix="sentiment-", dir=settings.socket_directory))
        probe = directory / "probe"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        where = settings.socket_directory or tempfile.gettempdir()
        raise SettingError(f"socket_directory {where} can't be used: {error.strerror}") from None
    try:
        if len(os.fsencode(socket_path(directory, 999))) > UNIX_PATH_BYTES_LIMIT:
            raise SettingError(f"socket_directory {directory} is too long for a Unix socket")
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
