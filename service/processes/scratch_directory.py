"""Where everything else that this service puts on disk lives: one place, which goes with it."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from service.health_check import URL_FILE
from service.private_directory import private_directory
from service.processes.socket_directory import UNIX_PATH_BYTES_LIMIT
from service.settings import SettingError

# What multiprocessing adds to the name for the socket of LitServe's manager.
MANAGER_SOCKET = "pymp-12345678/listener-12345678"


@contextlib.contextmanager
def scratch_directory(url: str) -> Iterator[None]:
    """Take what ``tempfile`` makes meanwhile, and tell health checks where the service answers.

    Raises:
        SettingError: the system's directory for temporary files can't be used.
    """
    where = tempfile.gettempdir()
    with contextlib.ExitStack() as stack:
        try:
            directory = stack.enter_context(private_directory(Path(where)))
            (directory / URL_FILE).write_text(url, encoding="ascii")
        except OSError as error:
            sentence = f"the directory of temporary files, {where}, can't be used: {error.strerror}"
            raise SettingError(sentence) from None
        if len(os.fsencode(directory / MANAGER_SOCKET)) <= UNIX_PATH_BYTES_LIMIT:
            tempfile.tempdir = str(directory)
            stack.callback(setattr, tempfile, "tempdir", where)
        yield
