"""A worker that keeps dying before it is ready starts ever less often."""

import time
from collections.abc import Callable
from pathlib import Path

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


class StartBackoff:
    """Counts failed starts in a file, because each start is another process."""

    def __init__(self, path: Path, sleep: Callable[[float], object] = time.sleep) -> None:
        self._path = path
        self._sleep = sleep

    def begin(self) -> None:
        """Wait as long as the failed starts before this one call for: none for the first."""
        failed = len(self._path.read_bytes()) if self._path.exists() else 0
        if failed:
            self._sleep(min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (failed - 1)))
        self._path.write_bytes(b"." * min(failed + 1, 16))

    def succeed(self) -> None:
        self._path.unlink(missing_ok=True)
