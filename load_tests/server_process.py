"""A server process: started, awaited, and stopped together with every process it started."""

import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS_LIMIT = 25.0
MARK = "LOAD_TEST_SERVER"


class ServerError(Exception):
    """A server that did not start; the message ends with its last output."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """Runs ``command`` while the ``with`` block lasts.

    Its processes are found by a mark in their environment and not by their process group, because
    some servers move theirs into new sessions.

    Raises:
        ServerError: ``ready`` did not come true in time, or the process ended.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        ready: Callable[[], bool],
        start_seconds_limit: float = 90.0,
        root: Path = ROOT,
    ) -> None:
        self._command = list(command)
        self._root = root
        self._mark = secrets.token_hex(8)
        self._environment = {**os.environ, **environment, MARK: self._mark}
        self._environment["PYTHONPATH"] = str(root)
        self._ready = ready
        self._start_seconds_limit = start_seconds_limit
        self._log = tempfile.NamedTemporaryFile(suffix=".log")  # noqa: SIM115

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command,
            cwd=self._root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            self._log.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._log.close()

    def _wait_until_ready(self) -> None:
        stop_at = time.monotonic() + self._start_seconds_limit
        while not self._ready():
            if self.process.poll() is not None:
                raise ServerError(f"ended with {self.process.returncode}: {self._last_output()}")
            if time.monotonic() > stop_at:
                limit = f"{self._start_seconds_limit:.0f} s"
                raise ServerError(f"not ready within {limit}: {self._last_output()}")
            time.sleep(0.05)

    def _last_output(self) -> str:
        log = Path(self._log.name).read_text(encoding="utf-8", errors="replace")
        lines = [line for line in log.split("\n") if line.strip()]
        return " | ".join(lines[-3:])[-500:] or "it printed nothing"

    def processes(self) -> list[psutil.Process]:
        """Every living process of this server."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self._mark:
                    found.append(process)
            except (psutil.Error, OSError):  # gone by now, or another user's
                continue
        return found

    def processor_seconds(self) -> float:
        """Processor time that its living processes have used so far."""
        seconds = 0.0
        for process in self.processes():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            seconds += times.user + times.system
        return seconds

    def stop(self) -> int | None:
        """SIGTERM, then SIGKILL for every process that is left; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS_LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
        left_behind = self.processes()
        for process in left_behind:
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(left_behind, timeout=STOP_SECONDS_LIMIT)
        self.process.wait(STOP_SECONDS_LIMIT)
        return self.process.returncode
