"""How the service ends: in order when it is told to, altogether when a part of it is gone."""

import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.e2e.load import Load, same, scores
from tests.e2e.running_service import (
    STOP_SECONDS_LIMIT,
    RunningService,
    alive,
    assert_all_end,
    running_service,
    wait_until,
)
from tests.e2e.system_tool import system_tool

LONG = 120_000  # ms
REQUESTS = 8
TEXT = "a film that takes its time " * 40


def ask_one_by_one(
    service: RunningService, pool: ThreadPoolExecutor
) -> list[Future[httpx.Response]]:
    """Requests on connections of their own, all of them read and none of them answered yet."""

    def ask() -> httpx.Response:
        return httpx.post(f"{service.url}/predict", json={"inputs": TEXT}, timeout=LONG / 1e3)

    answers = [pool.submit(ask) for _ in range(REQUESTS)]
    service.wait_for_inflight(REQUESTS)
    return answers


def send_to_main(service: RunningService, number: int) -> None:
    service.process.send_signal(number)


def send_to_group(service: RunningService, number: int) -> None:
    os.killpg(service.process.pid, number)


def send_to_pid_1(service: RunningService, number: int) -> None:
    psutil.Process(service.process.pid).children()[0].send_signal(number)


@pytest.mark.parametrize(
    ("send", "number"),
    [
        (send_to_main, signal.SIGTERM),
        (send_to_main, signal.SIGINT),
        (send_to_group, signal.SIGTERM),
        (send_to_group, signal.SIGINT),
        (send_to_pid_1, signal.SIGTERM),
        (send_to_pid_1, signal.SIGINT),
    ],
)
def test_every_request_that_was_read_is_answered_and_nothing_is_left_behind(
    tmp_path: Path, send: object, number: int
) -> None:
    command = [sys.executable, "-m", "service"]
    if send is send_to_pid_1:
        if os.geteuid() != 0:
            pytest.skip("unshare --pid needs root")
        command = [system_tool("unshare"), "--pid", "--fork", "--mount-proc", *command]
    with (
        running_service(
            command=command,
            workers=2,
            timeout_ms=LONG,
            drain_seconds=100,
            socket_directory=tmp_path,
        ) as service,
        ThreadPoolExecutor(REQUESTS) as pool,
    ):
        expected = scores(service.predict(TEXT).json())
        everyone = service.processes()
        assert list(tmp_path.iterdir())
        with service.paused_workers():
            answers = ask_one_by_one(service, pool)
            assert callable(send)
            send(service, number)
            wait_until(lambda: refuses_connections(service), "nobody is let in any more")
            send(service, number)  # impatience changes nothing
        for answer in answers:
            response = answer.result()
            assert response.status_code == 200
            assert same(scores(response.json()), expected)
            assert response.headers["connection"] == "close"
        assert service.wait_for_end() == 0
        assert_all_end(everyone)
        assert list(tmp_path.iterdir()) == []
        assert "Traceback" not in service.log


def test_whoever_still_asks_after_the_signal_hears_that_the_service_is_not_ready() -> None:
    with running_service(workers=1, timeout_ms=LONG) as service:
        host = f"Host: 127.0.0.1:{service.port}\r\n"
        body = json.dumps({"inputs": TEXT})
        predict = (
            f"POST /predict HTTP/1.1\r\n{host}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        ready = f"GET /readyz HTTP/1.1\r\n{host}\r\n"
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            with service.paused_workers():
                connection.sendall(f"{predict}{ready}".encode())  # the second waits for the first
                service.wait_for_inflight(1)
                service.process.terminate()
                wait_until(lambda: refuses_connections(service), "nobody is let in any more")
            connection.settimeout(STOP_SECONDS_LIMIT)
            with connection.makefile("rb") as stream:
                answers = stream.read().decode().split("HTTP/1.1 ")[1:]
        assert [answer[:3] for answer in answers] == ["200", "503"]
        assert "connection: close" in answers[1]
        assert service.wait_for_end() == 0


def refuses_connections(service: RunningService) -> bool:
    try:
        httpx.get(f"{service.url}/livez")
    except httpx.ConnectError:
        return True
    return False


def test_a_busy_service_told_to_end_gives_no_wrong_answer() -> None:
    with running_service(workers=2, timeout_ms=LONG) as service:
        with Load(service) as load:
            load.wait_for_everyone(2)
            lost_before = list(load.lost)
            assert service.stop() == 0
        assert lost_before == []
        assert set(load.codes) <= {200, 503}
        assert load.wrong == []


def test_an_api_process_that_is_killed_ends_the_service_as_failed(tmp_path: Path) -> None:
    with running_service(workers=2, api_servers=2, socket_directory=tmp_path) as service:
        everyone = service.processes()
        with Load(service, clients=4) as load:
            load.wait_for_everyone(1)
            service.forks()[-1].kill()
            assert service.wait_for_end() == 1
        assert_all_end(everyone)
        assert "LitServer-1 died; the service ends" in service.log
        assert list(tmp_path.iterdir()) == []
        assert load.wrong == []


def test_when_the_main_process_is_killed_everything_ends() -> None:
    with running_service(workers=2) as service:
        everyone = service.processes()
        with Load(service, clients=4) as load:
            load.wait_for_everyone(1)
            service.process.kill()
            assert_all_end(everyone, seconds_limit=2.0)
        assert load.wrong == []


def test_when_litserves_manager_is_killed_everything_ends() -> None:
    with running_service(workers=2) as service:
        everyone = service.processes()
        with Load(service, clients=4) as load:
            load.wait_for_everyone(1)
            service.forks()[0].kill()
            assert_all_end(everyone, seconds_limit=2.0)
            assert service.wait_for_end() == 1
        assert "SyncManager-1 died; the service ends" in service.log
        assert load.wrong == []


# Stands in front of the package that the settings need, until the test has sent its signal.
GATED = """
import sys
from pathlib import Path

Path({gate!r}).read_text()
sys.path.remove(str(Path(__file__).parent))
del sys.modules["pydantic_settings"]
import pydantic_settings
"""


def masks(process: psutil.Process) -> tuple[int, int]:
    """The signals that the process holds back and those that it has handlers for: proc(5)."""
    lines = Path(f"/proc/{process.pid}/status").read_text().split("\n")
    fields = dict(line.split(":\t") for line in lines if ":\t" in line)
    return int(fields["SigBlk"], 16), int(fields["SigCgt"], 16)


def is_prepared_for(number: int, process: psutil.Process) -> bool:
    """Whether the kernel keeps this signal for the process instead of acting for it."""
    return any(mask & 1 << (number - 1) for mask in masks(process))


@pytest.mark.parametrize("as_pid_1", [False, True], ids=["plain", "as process 1"])
def test_a_signal_before_anything_has_been_loaded_ends_the_start_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_pid_1: bool
) -> None:
    temporary, gate = tmp_path / "tmp", tmp_path / "gate"
    temporary.mkdir()
    os.mkfifo(gate)
    (tmp_path / "pydantic_settings.py").write_text(GATED.format(gate=str(gate)))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    python = [sys.executable, "-m", "service"]
    command = python
    if as_pid_1:
        if os.geteuid() != 0:
            pytest.skip("unshare --pid needs root")
        command = [system_tool("unshare"), "--pid", "--fork", "--mount-proc", *python]
    with running_service(wait=False, command=command, workers=1) as service:

        def main_process() -> psutil.Process | None:
            process = psutil.Process(service.process.pid)
            found = process.children() if as_pid_1 else [process]
            return next((one for one in found if one.cmdline() == python), None)

        def prepared() -> bool:
            process = main_process()
            return process is not None and is_prepared_for(signal.SIGTERM, process)

        wait_until(prepared, "the signal would be kept")
        process = main_process()
        assert process is not None
        process.send_signal(signal.SIGTERM)
        gate.write_text("go on")
        assert service.wait_for_end() == 0, service.log
        assert "serving" not in service.log
    assert list(temporary.iterdir()) == []


@pytest.fixture
def short_path() -> Iterator[Path]:
    """The socket of LitServe's manager finds room below it, as it does below any usual TMPDIR."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def test_what_a_killed_service_leaves_is_swept_by_the_next_one(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, sockets = short_path / "tmp", short_path / "sockets"
    for directory in (temporary, sockets):
        directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    options: dict[str, Any] = {"workers": 1, "socket_directory": sockets}
    with running_service(**options) as killed:
        everyone = killed.processes()
        killed.process.kill()
        assert_all_end(everyone)
    left = {*temporary.iterdir(), *sockets.iterdir()}
    assert len(left) == 2
    with running_service(**options) as alive:
        kept = {*temporary.iterdir(), *sockets.iterdir()}
        assert len(kept) == 2
        assert not kept & left
        with running_service(**options) as another:
            assert kept < {*temporary.iterdir(), *sockets.iterdir()}
            assert another.stop() == 0
        assert kept == {*temporary.iterdir(), *sockets.iterdir()}
        assert alive.predict("lovely").status_code == 200
        assert alive.stop() == 0
    assert [*temporary.iterdir(), *sockets.iterdir()] == []


def test_a_signal_at_any_moment_of_the_start_ends_it(tmp_path: Path) -> None:
    for number, moment in enumerate(("workers", "api")):
        directory = tmp_path / moment
        directory.mkdir()
        with running_service(wait=False, workers=1, socket_directory=directory) as service:

            def reached(wanted: int = number) -> bool:
                everyone = service.processes()
                return len(everyone) > 2 and len(service.forks()) > wanted

            wait_until(reached, "the start has come so far")
            everyone = service.processes()
            assert service.stop() == 0
            assert_all_end(everyone)
            assert list(directory.iterdir()) == []
            assert not alive(everyone)
