"""Clients that leave, dawdle or never read: nobody else notices."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.load import Load
from tests.e2e.running_service import RunningService, running_service, wait_until

GONE = 'sentiment_requests_total{code="499",route="/predict"}'
BODY = json.dumps({"inputs": "A lovely film."}).encode()
HEAD = (
    b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n" % len(BODY)
)


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with running_service(workers=1, timeout_ms=120_000) as running:
        yield running


def connect(service: RunningService) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.port))
    connection.settimeout(60.0)
    return connection


def read_answer(connection: socket.socket) -> bytes:
    """One answer, or what came before the connection was closed."""
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        if end:
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            if len(body) >= length:
                return received
        chunk = connection.recv(65536)
        if not chunk:
            return received
        received += chunk


def test_a_client_that_leaves_is_forgotten_and_counted(service: RunningService) -> None:
    before = service.metric(GONE)
    with service.paused_workers():
        with connect(service) as connection:
            connection.sendall(HEAD + BODY)
            service.wait_for_inflight(1)
        wait_until(lambda: service.metric(GONE) == before + 1, "it is counted as gone")
        assert service.metric("sentiment_queue_depth") == 0
    assert service.predict("next").status_code == 200


def test_a_client_that_leaves_in_the_middle_of_its_body(service: RunningService) -> None:
    before = service.metric(GONE)
    with connect(service) as connection:
        connection.sendall(HEAD + BODY[:5])
        service.wait_for_inflight(1)
    wait_until(lambda: service.metric(GONE) == before + 1, "it is counted as gone")


def test_a_body_that_comes_in_pieces_is_answered(service: RunningService) -> None:
    with connect(service) as connection:
        for byte in (*(HEAD[i : i + 7] for i in range(0, len(HEAD), 7)), BODY[:9]):
            connection.sendall(byte)
        service.wait_for_inflight(1)
        connection.sendall(BODY[9:])
        assert read_answer(connection).startswith(b"HTTP/1.1 200")


def test_requests_that_never_become_whole_are_ended(service: RunningService) -> None:
    with connect(service) as headless, connect(service) as bodiless, connect(service) as halved:
        headless.sendall(HEAD[:40])
        bodiless.sendall(HEAD)
        halved.sendall(HEAD + BODY[:5])
        with Load(service, clients=2) as load:
            for connection in (bodiless, halved):
                answer = read_answer(connection)
                assert answer.startswith(b"HTTP/1.1 504")
                assert b"the body did not arrive in time" in answer
            assert headless.recv(1) == b""
        assert set(load.codes) == {200}


@pytest.mark.parametrize(
    "flood",
    [b"x-padding: " + b"a" * 1000 + b"\r\n", b"a" * 1000],
    ids=["many headers", "one header"],
)
def test_headers_without_end_are_refused(service: RunningService, flood: bytes) -> None:
    with connect(service) as connection:
        try:
            connection.sendall(HEAD[:-2] + b"x-first: ")
            for _ in range(100_000):  # 100 MB
                connection.sendall(flood)
            pytest.fail("all of it was taken")
        except OSError:
            pass
    assert service.predict("next").status_code == 200


def test_clients_that_never_read_hold_up_nobody_and_not_the_end() -> None:
    with running_service(workers=1, drain_seconds=1) as service:
        connections = [connect(service) for _ in range(4)]
        for connection in connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)
            try:
                while True:
                    connection.send(b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n" * 20)
            except BlockingIOError:
                pass
        with Load(service, clients=2) as load:
            load.wait_for_everyone(3)
        assert set(load.codes) == {200}
        everyone = service.processes()
        assert service.stop() == 0
        wait_until(lambda: not any(process.is_running() for process in everyone), "all are gone")
        for connection in connections:
            connection.close()
