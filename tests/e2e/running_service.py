"""The real service as a real process, on a free port, for tests that talk to it over HTTP."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import httpx
import psutil

START_SECONDS_LIMIT = 60.0
STOP_SECONDS_LIMIT = 40.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, seconds_limit: float = 30.0) -> None:
    """Wait for a condition; the limit is there so that a broken service fails instead of hangs."""
    stop_at = time.monotonic() + seconds_limit
    while not condition():
        assert time.monotonic() < stop_at, f"waited {seconds_limit:.0f} s in vain: {what}"
        time.sleep(0.02)


class RunningService:
    """``python -m service`` with the given settings; ``client`` talks to it."""

    def __init__(self, log: IO[bytes], settings: dict[str, str], command: list[str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        environment = {**os.environ, "SENTIMENT_PORT": str(self.port), **settings}
        environment.pop("SENTIMENT_REQUIRE_TOOLS", None)  # ours; the service would warn of it
        self.process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        self.client = httpx.Client(base_url=self.url, timeout=30.0)

    @property
    def log(self) -> str:
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")

    @property
    def ready(self) -> bool:
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def wait_until_ready(self) -> None:
        def settled() -> bool:
            assert self.process.poll() is None, f"the service ended:\n{self.log}"
            return self.ready

        wait_until(settled, "the service is ready", START_SECONDS_LIMIT)

    def processes(self) -> list[psutil.Process]:
        """The main process and everything below it."""
        try:
            main = psutil.Process(self.process.pid)
            return [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def forks(self) -> list[psutil.Process]:
        """LitServe's manager and, after it, the API processes: forked, so named like the main."""
        main = psutil.Process(self.process.pid)
        return sorted(
            (child for child in main.children() if child.cmdline() == main.cmdline()),
            key=lambda child: child.pid,
        )

    def workers(self) -> list[psutil.Process]:
        """The inference processes, ready or not: LitServe spawns them."""
        return [
            process
            for process in self.processes()
            if any("spawn_main" in argument for argument in process.cmdline())
        ]

    def worker_pids(self) -> list[int]:
        workers = self.client.get("/info").json()["workers"]
        return [worker["pid"] for worker in workers if worker is not None]

    def predict(self, inputs: object, **options: object) -> httpx.Response:
        headers = {"content-type": "application/json"}
        body = {"inputs": inputs, **options}
        return self.client.post("/predict", json=body, headers=headers)

    def metric(self, name: str) -> float:
        """The sum over all series of a metric, by its full name or name with labels."""
        lines = self.client.get("/metrics").text.split("\n")
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"{name} ", f"{name}{{")) or line.rpartition(" ")[0] == name
        )

    @contextlib.contextmanager
    def paused_workers(self) -> Iterator[None]:
        """What is sent meanwhile is read and waits."""
        workers = self.workers()
        for worker in workers:
            worker.suspend()
        try:
            yield
        finally:
            for worker in workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.resume()

    def wait_for_inflight(self, requests: int) -> None:
        """Until so many requests have been read and wait, beside the one that asks."""
        wait_until(
            lambda: self.metric("sentiment_inflight_requests") == requests + 1,
            f"{requests} requests are in flight",
        )

    def wait_for_end(self) -> int:
        """The exit code, once it has ended by itself."""
        return self.process.wait(STOP_SECONDS_LIMIT)

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Tell it to end and return its exit code."""
        self.process.send_signal(signal_number)
        return self.process.wait(STOP_SECONDS_LIMIT)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [
        process
        for process in processes
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]


def assert_all_end(processes: list[psutil.Process], seconds_limit: float = 30.0) -> None:
    wait_until(lambda: not alive(processes), "no process is left", seconds_limit)


@contextlib.contextmanager
def running_service(
    wait: bool = True, command: list[str] | None = None, **settings: object
) -> Iterator[RunningService]:
    """Start a service, ``running_service(max_tokens=64)``, and leave no process of it behind."""
    variables = {f"SENTIMENT_{name.upper()}": str(value) for name, value in settings.items()}
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        command = command or [sys.executable, "-m", "service"]
        service = RunningService(log, variables, command)
        try:
            if wait:
                service.wait_until_ready()
            yield service
        finally:
            service.client.close()
            everyone = service.processes()
            if service.process.poll() is None:
                service.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    service.process.wait(STOP_SECONDS_LIMIT)
            for process in everyone:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            service.process.wait(STOP_SECONDS_LIMIT)
