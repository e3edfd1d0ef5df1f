"""What clients may cost that send too much, never read, or leave; and compressed bodies."""

import gzip
import json
import os
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.http.bounds import WRITE_SECONDS_LIMIT
from tests.e2e.load import scores
from tests.e2e.raw_connection import RawConnection, chunked, request
from tests.e2e.running_service import RunningService, running_service, wait_until

TEXTS = ["A lovely film, I enjoyed every minute.", "Dull and far too long.", "naïve 🙂"]
BODIES = {
    "/predict": {"inputs": TEXTS},
    "/tokenize": {"inputs": TEXTS},
    "/v2/models/sentiment/infer": {
        "inputs": [{"name": "text", "shape": [3], "datatype": "BYTES", "data": TEXTS}]
    },
}
GONE = 'sentiment_requests_total{code="499"'


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


COMPRESSIONS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("GZIP", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("identity", bytes),
]


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with running_service(workers=1, timeout_ms=120_000) as running:
        yield running


@pytest.fixture
def connection(service: RunningService) -> Iterator[RawConnection]:
    with RawConnection(service) as made:
        yield made


def memory(service: RunningService) -> int:
    """Bytes that the API process holds."""
    return int(service.forks()[-1].memory_info().rss)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(("encoding", "compress"), COMPRESSIONS)
def test_a_compressed_body_is_answered_like_a_plain_one(
    connection: RawConnection,
    encoding: str,
    compress: Callable[[bytes], bytes],
    path: str,
    framing: str,
) -> None:
    plain = json.dumps(BODIES[path]).encode()
    packed, headers = compress(plain), {"content_encoding": encoding}
    if framing == "chunked":
        packed, headers = chunked(packed, 40), {**headers, "transfer_encoding": "chunked"}
    connection.send(request("POST", path, plain) + request("POST", path, packed, **headers))
    expected, answer = connection.answer(), connection.answer()
    assert (expected.status, answer.status) == (200, 200)
    if path == "/predict":  # scores may differ in the last digit, by the company in a batch
        for got, wanted in zip(json.loads(answer.body), json.loads(expected.body), strict=True):
            assert scores(got) == pytest.approx(scores(wanted), abs=1e-5)
    else:
        assert len(answer.body) == pytest.approx(len(expected.body), abs=60)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize(("encoding", "compress"), COMPRESSIONS[:-1])
@pytest.mark.parametrize("fill", [b" ", b"a"])
def test_a_bomb_is_too_large(
    service: RunningService,
    connection: RawConnection,
    encoding: str,
    compress: Callable[[bytes], bytes],
    fill: bytes,
    framing: str,
) -> None:
    before = memory(service)
    bomb = compress(b'{"inputs": "' + fill * (200 << 20) + b'"}')
    headers = {"content_encoding": encoding}
    if framing == "chunked":
        bomb, headers = chunked(bomb, 9000), {**headers, "transfer_encoding": "chunked"}
    connection.send(request("POST", "/predict", bomb, **headers) + request())
    answer = connection.answer()
    assert (answer.status, answer.error["error_type"]) == (413, "too_large")
    assert connection.answer().status == 200
    assert memory(service) - before < 32 << 20


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "aes128gcm"])
def test_another_encoding_is_told_what_is_understood(
    connection: RawConnection, encoding: str
) -> None:
    body = json.dumps(BODIES["/predict"]).encode()
    connection.send(request("POST", "/predict", body, content_encoding=encoding) + request())
    answer = connection.answer()
    assert (answer.status, answer.error["error_type"]) == (415, "validation")
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    assert connection.answer().status == 200


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-4], lambda data: data + b"x", lambda _: b""]
)
def test_damaged_compression_is_not_valid(
    connection: RawConnection, damage: Callable[[bytes], bytes]
) -> None:
    body = damage(gzip.compress(json.dumps(BODIES["/predict"]).encode()))
    connection.send(request("POST", "/predict", body, content_encoding="gzip") + request())
    answer = connection.answer()
    assert answer.status == 422
    assert answer.error["error"].startswith("content-encoding: ")
    assert connection.answer().status == 200


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("path", BODIES)
def test_a_byte_order_mark_is_skipped(connection: RawConnection, path: str, encoding: str) -> None:
    body = json.dumps(BODIES[path]).encode("utf-8-sig")
    body = gzip.compress(body) if encoding == "gzip" else body
    connection.send(request("POST", path, body, content_encoding=encoding))
    assert connection.answer().status == 200


def flood(connections: list[RawConnection], asked: bytes) -> int:
    """Send on every connection until nobody takes any more; the bytes that were taken."""
    sent = 0
    while True:
        round_sent = sum(connection.send_some(asked * 50) for connection in connections)
        sent += round_sent
        if not round_sent:
            return sent


def test_answers_that_nobody_reads_take_little_memory_and_end_their_connection(
    service: RunningService,
) -> None:
    connections = [RawConnection(service) for _ in range(8)]
    before = memory(service)
    for _ in range(3):
        flood(connections[:4], request("GET", "/openapi.json"))
        flood(connections[4:], request("GET", "/page/page.css"))
        assert service.predict("next").status_code == 200
    assert memory(service) - before < 40 << 20

    def ended(connection: RawConnection) -> bool:
        try:
            connection.send_some(request())
            return False
        except ConnectionError:
            return True

    left = set(connections)

    def all_ended() -> bool:
        left.difference_update([connection for connection in left if ended(connection)])
        return not left

    wait_until(all_ended, "they are closed", 6 * WRITE_SECONDS_LIMIT)
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("pipelined", [1, 7])
@pytest.mark.parametrize("path", ["/predict", "/v2/models/sentiment/infer"])
def test_clients_that_leave_are_all_counted(
    service: RunningService, path: str, pipelined: int
) -> None:
    before = gone(service)
    asked = request("POST", path, json.dumps(BODIES[path]).encode())
    with service.paused_workers():
        connections = [RawConnection(service) for _ in range(5)]
        for connection in connections:
            connection.send(asked * pipelined)
        service.wait_for_inflight(5)  # of each connection one is at work
        for connection in connections:
            connection.close()
        wait_until(lambda: gone(service) == before + 5 * pipelined, "all are counted as gone")
    assert service.predict("next").status_code == 200
    assert gone(service) == before + 5 * pipelined


def gone(service: RunningService) -> float:
    lines = service.client.get("/metrics").text.split("\n")
    return sum(float(line.split()[-1]) for line in lines if line.startswith(GONE))


def test_a_log_that_nobody_reads_holds_up_nobody(tmp_path: Path) -> None:
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDWR)
    command = ["bash", "-c", f"exec {sys.executable} -m service 2> {pipe}"]
    asked, count = request(), 10_000
    with running_service(command=command, workers=1, access_log=True) as service:
        with RawConnection(service) as connection:
            for _ in range(count // 100):
                connection.send(asked * 100)
                assert {connection.answer().status for _ in range(100)} == {200}
        assert service.predict("next").status_code == 200
        read: list[bytes] = []

        def read_on() -> None:
            while b"\n\n" not in (chunk := os.read(reading, 1 << 16)):
                read.append(chunk)

        reader = threading.Thread(target=read_on)
        reader.start()
        service.stop()
        os.write(reading, b"\n\n")
        reader.join()
    os.close(reading)
    lines = [json.loads(line) for line in b"".join(read).decode().splitlines()]
    dropped = [
        int(line["message"].split()[0]) for line in lines if "lines were dropped" in line["message"]
    ]
    logged = sum(line.get("route") == "/livez" for line in lines)
    assert dropped
    assert count <= logged + sum(dropped) <= count + 1000  # others log too
