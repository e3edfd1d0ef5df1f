"""uvicorn's HTTP over httptools: bounded before a request has begun, and ended in order."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.draining import Draining
from service.exchange import Exchange

HEAD_BYTES_LIMIT = 64 << 10
HEAD_SECONDS_LIMIT = 10.0


class HttpProtocol(HttpToolsProtocol):
    """Bounds what a client may send, and how slowly, before its request has begun."""

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def __init__(self, draining: Draining, **uvicorn_options: Any) -> None:
        super().__init__(**uvicorn_options)
        self._draining = draining

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._draining.connections.add(self)
        # Whoever connects and says nothing is idle, as after an answer.
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.scope is None or "method" in self.scope:
            self._end_head()
            return
        self._head_bytes += len(data)
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS_LIMIT, self.transport.close)
        if self._head_bytes > HEAD_BYTES_LIMIT and not self.transport.is_closing():
            self.send_400_response("The request's line and headers are too long.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        self._draining.connections.discard(self)
        super().connection_lost(exc)
        # Told directly: waiting for ASGI's http.disconnect would cost every request a task.
        scope = cast(dict[str, Any], self.scope or {})
        exchange: Exchange | None = scope.get("exchange")
        if exchange is not None:
            exchange.leave()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._draining.begun:
            self.close_after_answer()

    def close_after_answer(self) -> None:
        """Of pipelined requests the last one's answer: those before it are still to be sent."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _end_head(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
