"""The inference processes, seen from the main one: who is ready, who is lost, who starts anew."""

import logging
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from service.awake_clock import AwakeClock
from service.metrics import MetricsRow
from service.processes.worker_starts import WorkerStarts
from service.settings import Settings
from service.worker_health import WorkerHealth

# Between two looks lie 0.05 s, or 0.5 s during the drain: more than this is sleep.
SLEEP_SECONDS = 2.0
READY_BYTES_LIMIT = 64

logger = logging.getLogger(__name__)


class WorkerProcesses:
    """``launch`` starts the worker of a number anew; ``ready`` is where workers say that they are.

    Time in which the whole service was stopped counts for no limit here.
    """

    def __init__(
        self,
        settings: Settings,
        workers: int,
        launch: Callable[[int], BaseProcess],
        ready: Connection,
        health: WorkerHealth,
        metrics: MetricsRow,
    ) -> None:
        self._launch = launch
        self._ready = ready
        self._health = health
        self._metrics = metrics
        self._no_worker_seconds = settings.no_worker_seconds
        self._clock = AwakeClock(SLEEP_SECONDS)
        self._starts = WorkerStarts(workers, settings.start_seconds, self._clock)
        self._last_ready_at = self._clock()

    def look(self, processes: list[BaseProcess], service_started: bool) -> str | None:
        """Replace in ``processes`` whoever is lost; the reason, if the service must end for it."""
        self._clock.tick()
        self._hear(processes)
        for worker_id, process in enumerate(processes):
            lost = self._lost(worker_id, process)
            if lost and not service_started:
                return f"{lost} while the service was starting"
            if lost:
                self._pause(worker_id, lost)
            if self._starts.due(worker_id):
                self._start(processes, worker_id)
            self._health.report(worker_id, self._starts.failing(worker_id))
        if not service_started or self._starts.any_ready:
            self._last_ready_at = self._clock()
        elif self._clock() - self._last_ready_at > self._no_worker_seconds:
            return f"no worker was ready for {self._no_worker_seconds} s"
        return None

    def _hear(self, processes: list[BaseProcess]) -> None:
        while self._ready.poll():
            worker_id, pid = map(int, self._ready.recv_bytes(READY_BYTES_LIMIT).split())
            if worker_id < len(processes) and processes[worker_id].pid == pid:  # else long gone
                self._starts.said_ready(worker_id)

    def _lost(self, worker_id: int, process: BaseProcess) -> str | None:
        if self._starts.pausing(worker_id):
            return None
        if self._starts.overdue(worker_id):
            process.kill()
            return f"worker {worker_id} was not ready within {self._starts.seconds_limit:g} s"
        return None if process.is_alive() else f"worker {worker_id} died"

    def _pause(self, worker_id: int, lost: str) -> None:
        pause_seconds = self._starts.lost(worker_id)
        when = f" in {pause_seconds:g} s" if pause_seconds else ""
        logger.error("%s and is started anew%s", lost, when)

    def _start(self, processes: list[BaseProcess], worker_id: int) -> None:
        self._metrics.count("worker_restarts")
        self._starts.launched(worker_id)
        try:
            processes[worker_id] = self._launch(worker_id)
        except OSError as error:  # no process or memory to be had, or LitServe's manager is gone
            self._pause(worker_id, f"worker {worker_id} can't be launched ({error})")
