"""Watches the service's processes from the main one, restarts workers, ends all together."""

import contextlib
import logging
import multiprocessing
import multiprocessing.process
import os
import signal
import socket
import threading
import time
from collections.abc import Callable

from service.process_tree import bind_forked_children
from service.processes.lit_server import LitServer
from service.processes.worker_processes import WorkerProcesses
from service.signals import let_signals_through

LOOK_SECONDS = 0.05
REPEAT_SECONDS = 0.5
END_SECONDS_LIMIT = 1.0

logger = logging.getLogger(__name__)


class Supervisor:
    """A worker that died is started anew at once, one that fails to start after ever longer pauses.

    A worker that does not get ready in time is as good as dead. A dead API process or manager,
    a worker that dies before the service has started, and too long a time without any worker end
    the service with exit code 1, so that whatever supervises it starts it anew: a service that
    lacks a part is never left running.
    """

    def __init__(
        self, server: LitServer, workers: WorkerProcesses, listener: socket.socket
    ) -> None:
        self._server = server
        self._workers = workers
        self._listener = listener
        self._main_pid = os.getpid()
        self._stopping = threading.Event()
        self.exit_code = 0

    def run(self, serve: Callable[[], None]) -> int:
        """Look after the processes that ``serve`` starts, until it returns; the exit code."""
        try:
            signal.signal(signal.SIGTERM, self._stop)
            signal.signal(signal.SIGINT, self._stop)
            let_signals_through()  # before there are threads and processes, which inherit the mask
            threading.Thread(target=self._watch, daemon=True, name="supervisor").start()
            bind_forked_children()
            serve()
        except KeyboardInterrupt:
            pass  # told to end while still starting
        except Exception as error:
            self._give_up(f"LitServe failed: {type(error).__name__}: {error}")
        finally:
            self._end_children()
        return self.exit_code

    def _give_up(self, reason: str) -> None:
        """End the service as failed."""
        if not self._stopping.is_set():
            logger.error("%s; the service ends", reason)
            self._stopping.set()
        self.exit_code = 1

    def _end_children(self) -> None:
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
            others: set[str] = set()
            while not self._stopping.wait(LOOK_SECONDS):
                others = self._look_after_others(others)
                if reason := self._replace_lost_workers():
                    self._fail(reason)
            self._drain()
        except Exception as error:
            self._fail(f"supervision failed: {type(error).__name__}: {error}")
        # The kernel ties a child to the thread that started it: workers started here would be
        # killed before they have answered, were this thread to end before the process.
        threading.Event().wait()

    def _look_after_others(self, others: set[str]) -> set[str]:
        """The names of all processes but the workers, ``others`` being those of the last look."""
        alive = {child.name for child in multiprocessing.active_children()}
        dead = others - alive
        # One that died within a moment of its start is among the others of no look.
        dead |= {child.name for child in self._server.api_processes if not child.is_alive()}
        if dead:
            self._fail(f"{dead.pop()} died")
        return {name for name in alive if name != "inference-worker"}

    def _replace_lost_workers(self) -> str | None:
        processes = getattr(self._server, "inference_workers", [])  # LitServe's run makes it
        return self._workers.look(processes, service_started=bool(self._api_processes()))

    def _drain(self) -> None:
        """While the API processes answer what they have read."""
        self._end_api_processes()
        with contextlib.suppress(OSError):
            # Only now, so that whoever still gets in is told to leave. Closing it would leave it
            # open in the processes that inherited it, and clients would wait in the backlog of a
            # socket that nobody accepts from any more.
            self._listener.shutdown(socket.SHUT_RDWR)
        while self._end_api_processes():
            self._replace_lost_workers()
            time.sleep(REPEAT_SECONDS)

    def _end_api_processes(self) -> bool:
        """Whether there are any left. One forked just now had no handler for the signal before."""
        api_processes = self._api_processes()
        for process in api_processes:
            process.terminate()
        return bool(api_processes)

    def _api_processes(self) -> list[multiprocessing.process.BaseProcess]:
        children = multiprocessing.active_children()
        return [child for child in children if child.name.startswith("LitServer")]

    def _fail(self, reason: str) -> None:
        self._give_up(reason)
        os.kill(self._main_pid, signal.SIGTERM)
