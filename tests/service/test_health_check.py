"""``python -m service.health_check`` against real listeners."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from service.health_check import ready
from service.processes.scratch_directory import scratch_directory
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
    assert ready(f"http://127.0.0.1:{port}") is (code == 200)


def exit_code(temporary_files: Path) -> int:
    environment = {**os.environ, "TMPDIR": str(temporary_files)}
    command = [sys.executable, "-m", "service.health_check"]
    return subprocess.run(command, env=environment, check=False).returncode


@pytest.fixture
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_running_service_is_found_and_asked(
    listener: tuple[int, int], temporary_files: Path
) -> None:
    port, code = listener
    with scratch_directory(f"http://127.0.0.1:{port}"):
        assert exit_code(temporary_files) == (0 if code == 200 else 1)
        with scratch_directory(f"http://127.0.0.1:{free_port()}"):  # where nothing listens
            assert exit_code(temporary_files) == 1


def test_exit_code_is_1_where_no_service_runs(temporary_files: Path) -> None:
    assert exit_code(temporary_files) == 1
