"""A worker that keeps dying before it is ready starts ever less often."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


class StartBackoff:
    """Counts failed starts in a file, because each start is another process."""

    def __init__(self, path: Path, sleep: Callable[[float], object] = time.sleep) -> None:
        self._path = path
        self._sleep = sleep

    @classmethod
    def of(cls, directory: Path, worker_id: int) -> Self:
        return cls(directory / f"worker-{worker_id}.starts")

    @property
    def wait_seconds(self) -> float:
        """What the failed starts so far call for: nothing before the first."""
        failed = self._failed
        return min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (failed - 1)) if failed else 0.0

    @property
    def pending(self) -> bool:
        """A start has begun and not yet succeeded; it may have failed."""
        return self._path.exists()

    @property
    def _failed(self) -> int:
        return len(self._path.read_bytes()) if self.pending else 0

    def begin(self) -> None:
        """Wait, and count this start as failed until it succeeds."""
        if wait_seconds := self.wait_seconds:
            self._sleep(wait_seconds)
        self._path.write_bytes(b"." * min(self._failed + 1, 16))

    def succeed(self) -> None:
        self._path.unlink(missing_ok=True)
