"""uvicorn's HTTP over httptools, for clients that are slow, hostile or half gone.

One connection. Reading is bounded in bytes, in time and in how far it runs ahead of the answers;
writing is bounded in how long nothing of it may be taken; closing lets the last answer arrive.
What HTTP forbids becomes the exchange's failure, so that the gateway answers and counts it.
"""

import asyncio
from typing import Any, cast
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.draining import Draining
from service.failure import DeadlinePassed, Failure, Malformed, NotSupported, TooLarge
from service.http.bounds import HeldFlow, Linger, ReadTimer, ResetWatch, WriteTimer
from service.http.exchange import Exchange
from service.http.framing import failure_of, head_without_upgrade, malformed
from service.http.outlet import Outlet

HEAD_BYTES_LIMIT = 64 << 10
# What is parsed at once: between two slices it is seen whether enough requests wait already.
SLICE_BYTES = 8 << 10


class HttpProtocol(HttpToolsProtocol):
    """A request that arrives whole, as nearly all do, costs no timer."""

    flow: HeldFlow
    _writes: WriteTimer

    def __init__(self, draining: Draining, front: ASGIApp, **uvicorn_options: Any) -> None:
        """``front`` answers in the place of uvicorn's own app, which keeps the lifespan: FastAPI
        asks about telemetry for every request, and is asked only for what is left to it."""
        super().__init__(**uvicorn_options)
        self._draining = draining
        self.app = cast(Any, front)
        self._in_head = self._in_body = False  # of the message that is being read
        self._began = False  # a message, in the slice that is being parsed
        self._head_bytes = 0
        self._unparsed = b""  # read ahead, while requests before it wait for their turn
        self._deaf = False  # nothing that still comes is a request
        self._answering: RequestResponseCycle | None = None  # or answered last
        self._reads = ReadTimer(self.loop)
        self._linger: Linger | None = None
        self._half_closed: ResetWatch | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = HeldFlow(transport)
        self._writes = WriteTimer(self.loop, transport)
        self._draining.connections.add(self)
        # Whoever connects and says nothing is idle, as after an answer.
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        for timer in (self._reads, self._writes, self._linger, self._half_closed):
            if timer is not None:
                timer.stop()
        self._draining.connections.discard(self)
        waiting = [cycle for cycle, _ in self.pipeline]
        for cycle in (self._answering, *waiting):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
                # Told directly: waiting for ASGI's http.disconnect would cost every request a task.
                _exchange(cycle).leave()
        super().connection_lost(exc)
        while self.pipeline:  # they were read, so they are counted
            self._start(self.pipeline.pop()[0])
        # They know their connection, and would be left to the garbage collector.
        self.cycle = self._answering = self._linger = self._half_closed = cast(Any, None)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client sends no more. Whether it still reads shows when something is written."""
        answering = self._answering
        if self._deaf or answering is None or answering.response_complete:
            return None
        if self._in_body and self.cycle is answering:
            return None  # half a request: nobody waits for its answer
        if self._in_body:
            self._refuse(Malformed("the body ends early"))
        self._half_closed = ResetWatch(self.loop, self.transport)
        cast(Outlet, answering.transport).begin()
        return True

    def close_in_order(self) -> None:
        """After the last answer: closed at once only when nothing of the client's is unread."""
        if self._linger is not None or self.transport.is_closing():
            return
        unread = self._unparsed or (self._answering is not None and self._answering.more_body)
        if not unread or self._half_closed is not None:
            self._close()
            return
        self._deaf, self._unparsed = True, b""
        self.pipeline.clear()
        self._linger = Linger(self.loop, self._close)
        self.transport.write_eof()
        self.flow.release()

    def _close(self) -> None:
        self.transport.close()
        self._writes.watch()

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._linger is not None:
            self._linger.take(len(data))
        if self._deaf or self.transport.is_closing():
            return
        if self.pipeline or self._unparsed:
            self._unparsed += data
            self.flow.hold()
        else:
            self._parse(data)
        self._watch_reading()

    def _parse(self, data: bytes) -> None:
        """As much as there is room for; the rest waits until the requests before are answered."""
        if len(data) <= SLICE_BYTES:
            self._parse_slice(data)
            return
        for start in range(0, len(data), SLICE_BYTES):
            if self._deaf:
                return
            if self.pipeline:
                self._unparsed = data[start:]
                self.flow.hold()
                return
            self._parse_slice(data[start : start + SLICE_BYTES])

    def _parse_slice(self, data: bytes) -> None:
        self._began = False
        rest = data
        while rest:
            try:
                self.parser.feed_data(rest)
                rest = b""
            except httptools.HttpParserUpgrade as upgrade:
                # The parser takes all that follows, the body too, for bytes of the other protocol.
                method, version = self.parser.get_method(), self.parser.get_http_version()
                if method == b"CONNECT":
                    self._refuse(NotSupported("CONNECT is for proxies"))
                    return
                head = head_without_upgrade(method, self.url, version, self.headers)
                rest = head + rest[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            except httptools.HttpParserError as error:
                self._refuse(malformed(error))
                return
        if self._in_head:
            self._head_bytes = len(data) + (0 if self._began else self._head_bytes)
            if self._head_bytes > HEAD_BYTES_LIMIT:
                self._refuse(TooLarge("the request's line and headers are too long"))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._began = True

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        version = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        raw_path = url.path or b"/"
        path = raw_path.decode("ascii")
        self.scope["http_version"] = version
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["raw_path"] = raw_path
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["query_string"] = url.query or b""
        self.expect_100_continue = self.expect_100_continue and version != "1.0"
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        self._enqueue(keep_alive and not self._draining.begun, failure_of(self.headers, version))

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_body = False
        if self._linger is not None:
            self._linger.stop()
            self._linger = None
        super().on_message_complete()

    def _refuse(self, failure: Failure) -> None:
        """What comes is no request, or not the rest of one: after this answer it is over."""
        self._deaf = True
        self._reads.stop()
        if not self._in_body:
            self.on_message_begin()
            self.scope |= {"method": "", "path": "", "raw_path": b"", "query_string": b""}
            self._enqueue(False, failure)
        elif self.cycle.response_complete:
            self._close()
        else:
            self.cycle.keep_alive = False
            exchange = _exchange(self.cycle)
            exchange.failure = exchange.failure or failure
            self.cycle.message_event.set()
        self.flow.hold()  # until its answer is written

    def _watch_reading(self) -> None:
        if self._deaf or self._linger is not None or self.pipeline:
            self._reads.stop()
        elif self._in_head or self._in_body:
            self._reads.await_more(self.scope, self._in_body, self._give_up)
        else:
            self._reads.stop()
            if self._answering is None or self._answering.response_complete:
                self._await_request()

    def _await_request(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _give_up(self) -> None:
        if self._in_body:
            _exchange(self.cycle).failure = DeadlinePassed("the body did not arrive in time")
            self.cycle.message_event.set()
        else:
            self._close()

    def _enqueue(self, keep_alive: bool, failure: Failure | None) -> None:
        """The head that was read becomes a request, to be answered after those before it."""
        self._in_head, self._in_body = False, True
        exchange = Exchange(self.scope)
        exchange.failure = failure
        cast(dict[str, Any], self.scope)["exchange"] = exchange
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=cast(asyncio.Transport, Outlet(self, self.scope["method"] != "HEAD")),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        if self._answering is None or self._answering.response_complete:
            self._start(self.cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _start(self, cycle: RequestResponseCycle) -> None:
        self._answering = cycle
        self._start_asgi_task(cycle, self.app)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self._linger is not None or self.transport.is_closing():
            return
        if self.pipeline:
            self._start(self.pipeline.pop()[0])
        elif self._in_body:
            self._linger = Linger(self.loop, self._close)
        elif self._half_closed is not None:
            self._close()
            return
        if not self.pipeline and not self._deaf:
            unparsed, self._unparsed, self.flow.held = self._unparsed, b"", False
            self._parse(unparsed)
            self.flow.resume_reading()
        self._watch_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writes.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._writes.stop()
        if self.transport.is_closing():
            self._writes.watch()

    def close_after_answer(self) -> None:
        """Of pipelined requests the last one's answer: those before it are still to be sent."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False


def _exchange(cycle: RequestResponseCycle) -> Exchange:
    exchange: Exchange = cast(dict[str, Any], cycle.scope)["exchange"]
    return exchange
