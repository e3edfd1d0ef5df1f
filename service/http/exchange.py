"""One HTTP request and its answer: the headers that matter, the request id, the clock."""

import random
from collections.abc import Callable
from typing import Any

from pydantic_core import to_json

from service.failure import ClientGone, DeadlinePassed, Failure, Invalid, TooLarge
from service.prediction import Prediction, now
from service.route import UNMATCHED, Route, route_at

Headers = list[tuple[bytes, bytes]]

REQUEST_ID_BYTES_LIMIT = 128
JSON = (b"application/json",)


def _new_request_id() -> bytes:
    return b"%032x" % random.getrandbits(128)  # the generator is seeded anew in forked processes


class Exchange:
    """Made when a request's headers have been read. Failures before the body are its too."""

    __slots__ = (
        "body_is_late",
        "client_gone",
        "code",
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
        self.body_is_late = False  # said by the protocol, which wakes who waits for more of it
        self.on_client_gone: Callable[[], None] | None = None
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
        trace = self.headers.get(b"traceparent")
        if trace is not None and len(trace) <= REQUEST_ID_BYTES_LIMIT:
            headers.append((b"traceparent", trace))
        return headers

    def leave(self) -> None:
        """The client has left; called by the protocol when its connection is lost."""
        self.client_gone = True
        if self.on_client_gone is not None:
            self.on_client_gone()

    async def read_body(
        self, receive: Any, bytes_limit: int, content_types: tuple[bytes, ...] = JSON
    ) -> bytes:
        """The whole body; the clock starts anew when it is there.

        Raises:
            TooLarge: it is longer than ``bytes_limit``; refused before it is read, if it says so.
            DeadlinePassed: it trickles in for too long.
            Invalid: its content type is none of ``content_types``.
            ClientGone: the client left.
        """
        content_type = self.headers.get(b"content-type", b"application/json").split(b";")[0]
        if content_type.strip().lower() not in content_types:
            raise Invalid(f"content-type: must be {b' or '.join(content_types).decode()}")
        announced = self.headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > bytes_limit:
            raise TooLarge(
                f"the body has {int(announced)} bytes, at most {bytes_limit} are allowed"
            )
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > bytes_limit:
                raise TooLarge(f"the body has more than {bytes_limit} bytes")
            more = message.get("more_body", False)
            if more and self.body_is_late:
                raise DeadlinePassed("the body did not arrive in time")
        self.started_at = now()
        return b"".join(chunks)

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
