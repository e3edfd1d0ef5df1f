"""uvicorn's HTTP over httptools: bounded before a request has begun, and ended in order."""

import asyncio
from typing import Any, cast

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.draining import Draining
from service.http.exchange import Exchange

HEAD_BYTES_LIMIT = 64 << 10
# For a request's head, and again for its body.
READ_SECONDS_LIMIT = 10.0


class JoinedWrites:
    """One answer's way out: its head waits for its body, as ASGI demands of servers anyway. One
    system call and one packet are saved, a twentieth of what a short prediction costs here."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._joined = False

    def write(self, data: bytes) -> None:
        if self._joined or data.startswith(b"HTTP/1.1 100 "):
            self._transport.write(data)
        elif self._head is None:
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._joined = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class HttpProtocol(HttpToolsProtocol):
    """Bounds how much head a client may send, and how slowly it may send a request.

    A request that arrives whole, as nearly all do, costs no timer.
    """

    _head_bytes = 0
    _read_timer: asyncio.TimerHandle | None = None
    _reads_body = False

    def __init__(self, draining: Draining, front: ASGIApp, **uvicorn_options: Any) -> None:
        """``front`` answers in the place of uvicorn's own app, which keeps the lifespan: FastAPI
        asks about telemetry for every request, and is asked only for what is left to it."""
        super().__init__(**uvicorn_options)
        self._draining = draining
        self.app = cast(Any, front)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._draining.connections.add(self)
        # Whoever connects and says nothing is idle, as after an answer.
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.scope is not None and "method" not in self.scope:
            self._await_more(reads_body=False)
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_LIMIT and not self.transport.is_closing():
                self.send_400_response("The request's line and headers are too long.")
            return
        self._head_bytes = 0
        if self.cycle is not None and self.cycle.more_body:
            self._await_more(reads_body=True)
        else:
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._draining.connections.discard(self)
        super().connection_lost(exc)
        # Told directly: waiting for ASGI's http.disconnect would cost every request a task.
        if self._exchange is not None:
            self._exchange.leave()

    @property
    def _exchange(self) -> Exchange | None:
        """Of the last request whose head has been read."""
        scope = cast(dict[str, Any], self.cycle.scope if self.cycle else {})
        exchange: Exchange | None = scope.get("exchange")
        return exchange

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        # uvicorn writes no body in answer to HEAD, for which the head would wait in vain.
        if self.scope["method"] == "POST" and self.cycle.scope is self.scope:
            self.cycle.transport = cast(asyncio.Transport, JoinedWrites(self.transport))
        if self._draining.begun:
            self.close_after_answer()

    def close_after_answer(self) -> None:
        """Of pipelined requests the last one's answer: those before it are still to be sent."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _await_more(self, reads_body: bool) -> None:
        if self._read_timer is None or reads_body != self._reads_body:
            self._stop_timer()
            self._reads_body = reads_body
            self._read_timer = self.loop.call_later(READ_SECONDS_LIMIT, self._give_up)

    def _give_up(self) -> None:
        exchange = self._exchange if self._reads_body else None
        if exchange is None:
            self.transport.close()
        else:
            exchange.body_is_late = True
            self.cycle.message_event.set()

    def _stop_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None
