"""This project's service as a server under test: started, read off and ended."""

import json
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from load_tests.server_process import ROOT, ServerProcess, free_port


class Service:
    """A running service and the process that it is, if it was started here."""

    def __init__(self, port: int, process: ServerProcess | None) -> None:
        self.port = port
        self.process = process
        self.address = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            content: bytes = response.read()
            return content

    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/info"))
        return found

    def metrics(self) -> dict[str, float]:
        """Every series of ``/metrics`` by its name with labels."""
        lines = self.get("/metrics").decode("utf-8").split("\n")
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def predict_codes(self) -> dict[int, float]:
        """How often ``/predict`` was answered with each status code."""
        prefix = 'sentiment_requests_total{code="'
        return {
            int(name[len(prefix) :][:3]): value
            for name, value in self.metrics().items()
            if name.startswith(prefix) and 'route="/predict"' in name
        }


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@contextmanager
def running_service(
    bundle: Path, settings: Mapping[str, object] | None = None, root: Path = ROOT
) -> Iterator[Service]:
    """``python -m service`` from the sources at ``root`` with settings such as ``workers``.

    Raises:
        ServerError: it did not become ready.
    """
    port = free_port()
    environment = {
        f"SENTIMENT_{name.upper()}": str(value) for name, value in (settings or {}).items()
    }
    environment |= {"SENTIMENT_BUNDLE": str(bundle.absolute())}
    command = [sys.executable, "-m", "service", "--port", str(port)]
    with ServerProcess(command, environment, lambda: _is_ready(port), root=root) as process:
        yield Service(port, process)
