"""Where the Unix sockets between API processes and workers live."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from service.private_directory import private_directory
from service.settings import SettingError, Settings
from service.worker.inference_loop import socket_path

UNIX_PATH_BYTES_LIMIT = 107  # sun_path, less its final zero: unix(7)


@contextlib.contextmanager
def private_socket_directory(settings: Settings) -> Iterator[Path]:
    """A directory that only this user can enter, for the Unix sockets; gone afterwards.

    Raises:
        SettingError: there can be none where the settings want it.
    """
    where = settings.socket_directory or Path(tempfile.gettempdir())
    with contextlib.ExitStack() as stack:
        try:
            directory = stack.enter_context(private_directory(where))
        except OSError as error:
            sentence = f"socket_directory {where} can't be used: {error.strerror}"
            raise SettingError(sentence) from None
        if len(os.fsencode(socket_path(directory, 999))) > UNIX_PATH_BYTES_LIMIT:
            raise SettingError(f"socket_directory {directory} is too long for a Unix socket")
        yield directory
