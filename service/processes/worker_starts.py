"""When each worker is launched, which start takes too long, and which worker keeps failing."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# One start that failed may have been bad luck; requests wait for the next one.
FAILED_STARTS_ARE_MANY = 2


class Stage(Enum):
    PAUSING = auto()  # nothing runs: the next start is to come
    STARTING = auto()
    READY = auto()


@dataclass(slots=True)
class WorkerStart:
    """How far one worker has come; ``until`` is when a pause, or the time for a start, ends."""

    stage: Stage
    until: float
    failed_starts: int = 0


class WorkerStarts:
    """Pure state: it is told what happened to the processes, and when.

    A worker that was ready is started anew at once. After each start that failed, the pause before
    the next one doubles.
    """

    def __init__(self, workers: int, seconds_limit: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.seconds_limit = seconds_limit
        self._workers = [
            WorkerStart(Stage.STARTING, clock() + seconds_limit) for _ in range(workers)
        ]

    def launched(self, worker_id: int) -> None:
        worker = self._workers[worker_id]
        worker.stage, worker.until = Stage.STARTING, self._clock() + self.seconds_limit

    def said_ready(self, worker_id: int) -> None:
        self._workers[worker_id] = WorkerStart(Stage.READY, self._clock())

    def lost(self, worker_id: int) -> float:
        """It died or was killed; the pause in seconds before it is due again."""
        worker = self._workers[worker_id]
        worker.failed_starts += worker.stage is Stage.STARTING
        pause_seconds = 0.0
        if worker.failed_starts:
            doubled = FIRST_PAUSE_SECONDS * 2 ** min(worker.failed_starts - 1, 16)
            pause_seconds = min(LONGEST_PAUSE_SECONDS, doubled)
        worker.stage, worker.until = Stage.PAUSING, self._clock() + pause_seconds
        return pause_seconds

    def pausing(self, worker_id: int) -> bool:
        return self._workers[worker_id].stage is Stage.PAUSING

    def due(self, worker_id: int) -> bool:
        """The pause is over."""
        return self.pausing(worker_id) and self._clock() >= self._workers[worker_id].until

    def overdue(self, worker_id: int) -> bool:
        """The start takes too long."""
        worker = self._workers[worker_id]
        return worker.stage is Stage.STARTING and self._clock() >= worker.until

    def failing(self, worker_id: int) -> bool:
        """It keeps failing to start."""
        return self._workers[worker_id].failed_starts >= FAILED_STARTS_ARE_MANY

    @property
    def any_ready(self) -> bool:
        return any(worker.stage is Stage.READY for worker in self._workers)
