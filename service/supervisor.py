"""Watches the service's processes from the main one, restarts workers, ends all together."""

import logging
import multiprocessing
import os
import signal
import threading
import time

import litserve

from service.inference_api import InferenceApi
from service.metrics import MetricsRow

LOOK_SECONDS = 0.05
REPEAT_SECONDS = 0.5
END_SECONDS_LIMIT = 1.0

logger = logging.getLogger(__name__)


class Supervisor:
    """A dead worker is started anew at once; how often it may fail is its own affair.

    A dead API process or manager, and a worker that dies before the service has started, end the
    service with exit code 1, so that whatever supervises it starts it anew: a service that is
    half there is never left running.
    """

    def __init__(self, server: litserve.LitServer, api: InferenceApi, metrics: MetricsRow) -> None:
        self._server = server
        self._api = api
        self._metrics = metrics
        self._main_pid = os.getpid()
        self._stopping = threading.Event()
        self.exit_code = 0

    def start(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        threading.Thread(target=self._watch, daemon=True, name="supervisor").start()

    def give_up(self, reason: str) -> None:
        """End the service as failed."""
        if not self._stopping.is_set():
            logger.error("%s; the service ends", reason)
            self._stopping.set()
        self.exit_code = 1

    def end_children(self) -> None:
        """Whatever is left when LitServe has finished ends now, within a bound."""
        self._stopping.set()
        stop_at = time.monotonic() + END_SECONDS_LIMIT
        for child in multiprocessing.active_children():
            child.terminate()
        for child in multiprocessing.active_children():
            child.join(max(0.0, stop_at - time.monotonic()))
            child.kill()

    def _stop(self, *signal_and_frame: object) -> None:
        """LitServe drains on KeyboardInterrupt; a second signal must not cut that short."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._stopping.set()
        raise KeyboardInterrupt

    def _watch(self) -> None:
        try:
            self._look_after_processes()
        except Exception as error:
            self._fail(f"supervision failed: {type(error).__name__}: {error}")
        # The kernel ties a child to the thread that started it: workers started here would be
        # killed before they have answered, were this thread to end before the process.
        while True:
            time.sleep(REPEAT_SECONDS)
            # An API process that was forked just now had no handler yet for LitServe's signal.
            for child in multiprocessing.active_children():
                if child.name.startswith("LitServer"):
                    child.terminate()

    def _look_after_processes(self) -> None:
        others: set[str] = set()
        while not self._stopping.wait(LOOK_SECONDS):
            alive = {child.name for child in multiprocessing.active_children()}
            dead = others - alive
            if dead:
                self._fail(f"{dead.pop()} died")
            others = {name for name in alive if name != "inference-worker"}
            started = any(name.startswith("LitServer") for name in alive)
            workers = getattr(self._server, "inference_workers", [])  # LitServe's run makes it
            for worker_id, worker in enumerate(workers):
                if worker.is_alive() or self._stopping.is_set():
                    continue
                if not started:
                    self._fail("a worker died while the service was starting")
                    break
                self._metrics.count("worker_restarts")
                logger.error("worker %d died and is started anew", worker_id)
                workers[worker_id] = self._server.launch_single_inference_worker(
                    self._api, worker_id
                )

    def _fail(self, reason: str) -> None:
        self.give_up(reason)
        os.kill(self._main_pid, signal.SIGTERM)
