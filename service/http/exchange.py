"""One HTTP request and its answer: the headers that matter, the request id, the clock."""

import codecs
import random
from collections.abc import Callable
from typing import Any

from pydantic_core import to_json

from service.failure import ClientGone, Failure, Invalid, TooLarge
from service.http.bounds import REST_BYTES_LIMIT
from service.http.content_encoding import Decoder
from service.prediction import Prediction, now
from service.route import UNMATCHED, Route, route_at

Headers = list[tuple[bytes, bytes]]

REQUEST_ID_BYTES_LIMIT = 128
JSON = (b"application/json",)
UNENCODED = (b"", b"identity")


def _new_request_id() -> bytes:
    return b"%032x" % random.getrandbits(128)  # the generator is seeded anew in forked processes


class Exchange:
    """Made when a request's headers have been read. Failures before the body are its too."""

    __slots__ = (
        "_unread_body",
        "client_gone",
        "code",
        "failure",
        "headers",
        "method",
        "on_client_gone",
        "path",
        "prediction",
        "request_id",
        "route",
        "started_at",
    )

    def __init__(self, scope: Any) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.route: Route | None = route_at(self.path)
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.started_at = now()
        self.code = 0
        self.prediction: Prediction | None = None
        self.client_gone = False
        # What the protocol finds wrong, with the head or later; it wakes who waits for the body.
        self.failure: Failure | None = None
        self.on_client_gone: Callable[[], None] | None = None
        self._unread_body = True
        given = self.headers.get(b"x-request-id", b"")
        acceptable = 0 < len(given) <= REQUEST_ID_BYTES_LIMIT and given.isascii()
        self.request_id = (
            given if acceptable and given.decode().isprintable() else _new_request_id()
        )

    @property
    def metric_name(self) -> str:
        """The metrics' name of the path: one of a fixed set, whatever clients ask for."""
        return UNMATCHED if self.route is None or self.code == 404 else self.route.metric_name

    @property
    def common_headers(self) -> Headers:
        """What every answer carries: the request id, and the caller's trace passed through."""
        headers = [(b"x-request-id", self.request_id)]
        if self._unread_body and (
            b"expect" in self.headers or self._announced_bytes > REST_BYTES_LIMIT
        ):
            # The body may never come, or is not read to its end: no request can follow it.
            headers.append((b"connection", b"close"))
        trace = self.headers.get(b"traceparent")
        if trace is not None and len(trace) <= REQUEST_ID_BYTES_LIMIT:
            headers.append((b"traceparent", trace))
        return headers

    def leave(self) -> None:
        """The client has left; called by the protocol when its connection is lost."""
        self.client_gone = True
        if self.on_client_gone is not None:
            self.on_client_gone()

    @property
    def _announced_bytes(self) -> int:
        announced = self.headers.get(b"content-length", b"0")
        return int(announced) if announced.isdigit() else 0

    async def read_body(
        self, receive: Any, bytes_limit: int, content_types: tuple[bytes, ...] = JSON
    ) -> bytes:
        """The whole body, decoded; the clock starts anew when it is there.

        Raises:
            TooLarge: it is longer than ``bytes_limit``; refused before it is read, if it says so.
            DeadlinePassed, Malformed: it trickles in for too long, or not as HTTP has it.
            Invalid: its content type is none of ``content_types``, or its encoding is damaged.
            UnknownEncoding: it is encoded in another way than gzip or deflate.
            ClientGone: the client left.
        """
        content_type = self.headers.get(b"content-type", b"application/json").split(b";")[0]
        content_type = content_type.strip().lower()
        if content_type not in content_types:
            raise Invalid(f"content-type: must be {b' or '.join(content_types).decode()}")
        encoding = self.headers.get(b"content-encoding", b"").strip().lower()
        decoder = None if encoding in UNENCODED else Decoder(encoding, bytes_limit)
        if self._announced_bytes > bytes_limit:
            raise TooLarge(
                f"the body has {self._announced_bytes} bytes, at most {bytes_limit} are allowed"
            )
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > bytes_limit:
                raise TooLarge(f"the body has more than {bytes_limit} bytes")
            parts += [part] if decoder is None else await decoder.decode(part)
            more = message.get("more_body", False)
            if more and self.failure is not None:
                raise self.failure
        if decoder is not None:
            decoder.end()
        self._unread_body = False
        self.started_at = now()
        body = b"".join(parts)
        return body.removeprefix(codecs.BOM_UTF8) if content_type in JSON else body

    async def reply(self, send: Any, code: int, body: bytes, headers: Headers) -> None:
        """Send a JSON answer."""
        self.code = code
        await send(
            {
                "type": "http.response.start",
                "status": code,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", b"%d" % len(body)),
                    *self.common_headers,
                    *headers,
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})


def error_body(failure: Failure, request_id: bytes) -> bytes:
    """The one form of every error; pydantic's writer, since json's is a twelfth of a refusal."""
    return to_json(
        {
            "error": str(failure),
            "error_type": failure.error_type,
            "request_id": request_id.decode("ascii"),
        }
    )
