"""``python -m service.health_check`` against real listeners."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from service.health_check import ready
from tests.e2e.running_service import free_port


@pytest.fixture(params=[200, 503])
def listener(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """Port of a server that answers ``/readyz`` with a status, and that status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, request.param
        server.shutdown()


def test_only_a_service_that_says_200_is_ready(listener: tuple[int, int]) -> None:
    port, code = listener
    assert ready(port) is (code == 200)


def test_exit_code_is_1_where_nothing_listens() -> None:
    environment = {**os.environ, "SENTIMENT_PORT": str(free_port())}
    command = [sys.executable, "-m", "service.health_check"]
    assert subprocess.run(command, env=environment, check=False).returncode == 1
