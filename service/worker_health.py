"""Which workers keep failing to start: the main process finds out, API processes are told."""

import mmap


class WorkerHealth:
    """Shared memory, made before any process is forked. Only the main process writes to it.

    A worker that died is started anew at once, and nobody needs to know. It counts as failing when
    that has failed and the next start too, until one succeeds.
    """

    def __init__(self, workers: int) -> None:
        self._failing = mmap.mmap(-1, workers)

    def report(self, worker_id: int, failing: bool) -> None:
        self._failing[worker_id] = failing

    @property
    def any_fails(self) -> bool:
        return any(self._failing[:])

    @property
    def all_fail(self) -> bool:
        return all(self._failing[:])
