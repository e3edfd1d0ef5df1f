import asyncio
import json
from typing import Any

import pytest

from service.failure import ClientGone, Invalid, TooLarge, Unavailable
from service.http.exchange import REQUEST_ID_BYTES_LIMIT, Exchange, error_body

Message = dict[str, Any]


def exchange(headers: dict[bytes, bytes] | None = None) -> Exchange:
    scope = {"method": "POST", "path": "/predict", "headers": [*(headers or {}).items()]}
    return Exchange(scope)


def read(
    messages: list[Message], bytes_limit: int = 100, headers: dict[bytes, bytes] | None = None
) -> bytes:
    """The body that comes in these messages; asking for more than there are is an error."""
    coming = iter(messages)

    async def receive() -> Message:
        return next(coming)

    return asyncio.run(exchange(headers).read_body(receive, bytes_limit))


def part(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_request_id_is_echoed_and_the_trace_passed_through() -> None:
    made = exchange({b"x-request-id": b"from the client", b"traceparent": b"00-1-2-01"})
    assert made.common_headers == [
        (b"x-request-id", b"from the client"),
        (b"traceparent", b"00-1-2-01"),
    ]


@pytest.mark.parametrize(
    "unacceptable", [b"", b"x" * (REQUEST_ID_BYTES_LIMIT + 1), b"caf\xe9", b"two\tcolumns"]
)
def test_an_unacceptable_request_id_is_replaced_by_a_new_one(unacceptable: bytes) -> None:
    one, other = (exchange({b"x-request-id": unacceptable}) for _ in range(2))
    assert len(one.request_id) == 32
    assert int(one.request_id, 16) != int(other.request_id, 16)


def test_a_trace_that_is_too_long_is_not_passed_through() -> None:
    made = exchange({b"traceparent": b"0" * (REQUEST_ID_BYTES_LIMIT + 1)})
    assert [name for name, _ in made.common_headers] == [b"x-request-id"]


def test_a_body_in_parts_is_put_together() -> None:
    assert read([part(b"ab", more=True), part(b"", more=True), part(b"c")]) == b"abc"


def test_the_clock_starts_anew_when_the_body_is_there() -> None:
    made = exchange()
    before = made.started_at

    async def receive() -> Message:
        return part(b"")

    asyncio.run(made.read_body(receive, 1))
    assert made.started_at > before


def test_a_body_that_says_it_is_too_long_is_refused_unread() -> None:
    with pytest.raises(TooLarge, match="the body has 101 bytes, at most 100"):
        read([], headers={b"content-length": b"101"})


def test_a_body_that_turns_out_too_long_is_refused_before_its_end() -> None:
    with pytest.raises(TooLarge, match="more than 100 bytes"):
        read([part(b"x" * 60, more=True), part(b"x" * 60, more=True)])
    assert read([part(b"x" * 100)]) == b"x" * 100


def test_a_client_that_leaves_before_the_end_of_its_body_is_gone() -> None:
    with pytest.raises(ClientGone):
        read([part(b"ab", more=True), {"type": "http.disconnect"}])


@pytest.mark.parametrize(
    "content_type", [b"application/json", b"Application/JSON; charset=utf-8", b" application/json "]
)
def test_json_is_taken_however_it_is_written(content_type: bytes) -> None:
    assert read([part(b"{}")], headers={b"content-type": content_type}) == b"{}"


def test_another_content_type_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="content-type: must be application/json"):
        read([part(b"{}")], headers={b"content-type": b"text/plain"})


def test_a_reply_has_its_length_type_and_all_headers() -> None:
    made, sent = exchange({b"x-request-id": b"7"}), []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(made.reply(send, 200, b"[1]", [(b"x-tokens", b"3")]))
    start, body = sent
    assert made.code == start["status"] == 200
    assert dict(start["headers"]) == {
        b"content-type": b"application/json",
        b"content-length": b"3",
        b"x-request-id": b"7",
        b"x-tokens": b"3",
    }
    assert body["body"] == b"[1]"


def test_every_error_has_one_form() -> None:
    assert json.loads(error_body(Unavailable("not yet"), b"7")) == {
        "error": "not yet",
        "error_type": "unavailable",
        "request_id": "7",
    }
