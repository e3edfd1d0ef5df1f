"""Clients that are refused before all of their body was read, and that send far ahead."""

import contextlib
import json
from collections.abc import Iterator

import pytest

from service.http.bounds import REST_BYTES_LIMIT
from tests.e2e.raw_connection import KEY, RawConnection, request
from tests.e2e.running_service import RunningService, running_service, wait_until

LIMIT = 100_000
TEXT = json.dumps({"inputs": "A lovely film."}).encode()


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with running_service(workers=1, api_keys=KEY, max_body_bytes=LIMIT) as running:
        yield running


@pytest.fixture
def connection(service: RunningService) -> Iterator[RawConnection]:
    with RawConnection(service) as made:
        yield made


REFUSALS = {
    401: ("POST", "/predict", {"x_api_key": "wrong"}),
    404: ("POST", "/nothing", {}),
    405: ("PUT", "/predict", {}),
    413: ("POST", "/predict", {}),
    415: ("POST", "/predict", {"content_encoding": "br"}),
    422: ("POST", "/tokenize", {"content_type": "text/plain"}),
}


@pytest.mark.parametrize("size", [LIMIT + 1, 3_000_000, REST_BYTES_LIMIT - 1000])
@pytest.mark.parametrize("close", [False, True], ids=["keep-alive", "close"])
@pytest.mark.parametrize("status", REFUSALS)
def test_an_early_refusal_reaches_a_client_that_writes_all_before_it_reads(
    connection: RawConnection, status: int, close: bool, size: int
) -> None:
    method, path, headers = REFUSALS[status]
    headers = {**headers, "connection": "close" if close else ""}
    connection.send(request(method, path, b"x" * size, **headers))
    answer = connection.answer()
    assert (answer.status, bool(answer.error)) == (status, True)
    if close:
        assert answer.headers["connection"] == "close"
        connection.shut_writing()
        assert connection.closed
    else:
        connection.send(request())
        assert connection.answer().status == 200


@pytest.mark.parametrize("close", [False, True], ids=["keep-alive", "close"])
@pytest.mark.parametrize("announced", [None, 1 << 40], ids=["chunked", "announced"])
def test_what_follows_a_refusal_is_read_within_a_bound_of_bytes(
    connection: RawConnection, announced: int | None, close: bool
) -> None:
    framing = {
        "transfer_encoding": "chunked" if announced is None else "",
        "content_length": "" if announced is None else str(announced),
        "connection": "close" if close else "",
    }
    connection.send(request("POST", "/predict", b"", x_api_key="wrong", **framing))
    assert connection.answer().status == 401
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n" if announced is None else b"x" * 0x10000
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 20 * REST_BYTES_LIMIT:
            connection.send(piece)
            sent += len(piece)
    # What the system buffers on both sides comes on top.
    assert sent < REST_BYTES_LIMIT + (32 << 20)


def test_what_follows_a_refusal_is_read_for_a_bounded_time(service: RunningService) -> None:
    with RawConnection(service) as kept, RawConnection(service) as closing:
        head = request("POST", "/predict", x_api_key="wrong", content_length="1000")
        kept.send(head)
        closing.send(head.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        assert [kept.answer().status, closing.answer().status] == [401, 401]

        def both_ended() -> bool:
            """While a byte comes now and then."""
            try:
                kept.send_some(b"x")
                kept.send_some(b"x")
                return False
            except ConnectionError:
                pass
            try:
                closing.send_some(b"x")
                return False
            except ConnectionError:
                return True

        wait_until(both_ended, "both are closed")


def test_a_body_that_was_to_be_asked_for_is_not_waited_for(connection: RawConnection) -> None:
    body = b"x" * (LIMIT + 1)
    whole = request("POST", "/predict", body, expect="100-continue")
    connection.send(whole[: -len(body)])
    answer = connection.answer()
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert connection.closed


@pytest.mark.parametrize("size", [170_000, 600_000])
def test_many_requests_in_one_write_are_answered_in_order(
    service: RunningService, size: int
) -> None:
    whole = request("POST", "/predict", TEXT, x_request_id="00000000")
    count = size // len(whole)
    numbered = [whole.replace(b"00000000", b"%08d" % number) for number in range(count)]
    with RawConnection(service) as connection:
        connection.send(b"".join(numbered))
        for number in range(count):
            answer = connection.answer()
            assert (answer.status, answer.headers["x-request-id"]) == (200, f"{number:08d}")
