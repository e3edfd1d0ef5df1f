"""Which workers are starting, and which of them take too long."""

import time
from collections.abc import Callable
from pathlib import Path

from service.worker.inference_loop import socket_path
from service.worker.start_backoff import StartBackoff


class WorkerStarts:
    """A start is over when the worker has said hello.

    A worker that hangs before that has told nobody who it is: only the process that launched it
    can find out and end it.
    """

    def __init__(
        self,
        directory: Path,
        workers: int,
        seconds_limit: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._overdue_at: dict[int, float] = {}
        self.seconds_limit = seconds_limit
        for worker_id in range(workers):
            self.begin(worker_id)

    def begin(self, worker_id: int) -> None:
        """The worker is about to be launched. What it waits before it loads comes on top."""
        socket_path(self._directory, worker_id).unlink(missing_ok=True)  # a dead worker's
        wait_seconds = StartBackoff.of(self._directory, worker_id).wait_seconds
        self._overdue_at[worker_id] = self._clock() + wait_seconds + self.seconds_limit

    def overdue(self, worker_id: int) -> bool:
        """True once for a start that takes too long; it counts as over then."""
        overdue_at = self._overdue_at.get(worker_id)
        if overdue_at is None:
            return False
        over = self._said_hello(worker_id)
        if not over and self._clock() < overdue_at:
            return False
        del self._overdue_at[worker_id]
        return not over

    def _said_hello(self, worker_id: int) -> bool:
        """It listens, and has struck its start from those that failed."""
        listens = socket_path(self._directory, worker_id).exists()
        return listens and not StartBackoff.of(self._directory, worker_id).pending
