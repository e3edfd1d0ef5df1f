"""What uvicorn does not do by itself, on real connections and with real signals."""

import asyncio
import functools
import gc
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from service.draining import Draining
from service.http.exchange import Exchange
from service.http.protocol import HEAD_BYTES_LIMIT, SLICE_BYTES, HttpProtocol

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER_SECONDS_LIMIT = 30.0
EVENT_LOOP_READS_BYTES = 256 << 10  # at once


@pytest.fixture
def signals() -> Iterator[list[int]]:
    """The signals that reach the handlers that were there first."""
    received: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in numbers
    }
    yield received
    for number, handler in before.items():
        signal.signal(number, handler)


class Application:
    """Answers when ``go`` is set; ``reached`` counts the requests that have come.

    What the protocol finds wrong is answered at once, as the gateway does.
    """

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.reached = asyncio.Semaphore(0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.release()
        failure = scope["exchange"].failure
        if failure is None:
            await self.go.wait()
        status = failure.status if failure else 200
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body"})


@asynccontextmanager
async def connected(
    application: ASGIApp, draining: Draining
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = Config(application, ws="none", lifespan="off", access_log=False, log_config=None)
    config.load()
    protocol = functools.partial(
        HttpProtocol, draining, application, config=config, server_state=ServerState(), app_state={}
    )
    loop = asyncio.get_running_loop()
    async with (
        asyncio.timeout(ANSWER_SECONDS_LIMIT),
        await loop.create_server(protocol, "127.0.0.1", 0) as server,
    ):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer
        writer.close()
        await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def test_from_the_signal_on_an_answer_closes_its_connection(signals: list[int]) -> None:
    async def ask_waiting_and_idle() -> None:
        application, draining = Application(), Draining()
        draining.listen()
        async with (
            connected(application, draining) as (waiting_reader, waiting_writer),
            connected(application, draining) as (idle_reader, idle_writer),
        ):
            idle_writer.write(REQUEST)
            await application.reached.acquire()
            application.go.set()
            assert b"connection: close" not in await answer(idle_reader)
            application.go.clear()

            waiting_writer.write(REQUEST)
            await application.reached.acquire()
            signal.raise_signal(signal.SIGTERM)
            idle_writer.write(REQUEST)
            application.go.set()
            for reader in (waiting_reader, idle_reader):
                assert b"connection: close" in await answer(reader)
                assert await reader.read() == b""

    asyncio.run(ask_waiting_and_idle())
    assert signals == [signal.SIGTERM]


def test_of_pipelined_requests_that_were_read_none_is_left_unanswered(signals: list[int]) -> None:
    async def ask_three_at_once() -> None:
        application, draining = Application(), Draining()
        draining.listen()
        async with connected(application, draining) as (reader, writer):
            writer.write(REQUEST * 3)
            await application.reached.acquire()
            signal.raise_signal(signal.SIGINT)
            application.go.set()
            answers = [await answer(reader) for _ in range(3)]
            assert [b"connection: close" in answer for answer in answers] == [False, False, True]

    asyncio.run(ask_three_at_once())
    assert signals == [signal.SIGINT]


def test_only_the_first_signal_is_passed_on(signals: list[int]) -> None:
    draining = Draining()
    draining.listen()
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        signal.raise_signal(number)
    assert signals == [signal.SIGINT]
    assert draining.begun


def test_headers_without_end_are_refused() -> None:
    async def send_headers() -> None:
        async with connected(Application(), Draining()) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\n" + b"X-Header: value\r\n" * (HEAD_BYTES_LIMIT // 16))
            assert b"413 Request Entity Too Large" in await answer(reader)

    asyncio.run(send_headers())


def test_requests_ahead_of_their_answers_are_left_unparsed() -> None:
    async def send_thousands() -> None:
        application, draining = Application(), Draining()
        async with connected(application, draining) as (reader, writer):
            for _ in range(20):
                writer.write(REQUEST * 1000)
            await application.reached.acquire()
            (connection,) = draining.connections
            assert isinstance(connection, HttpProtocol)
            for _ in range(100):  # whatever may come in comes in
                await asyncio.sleep(0)
            assert 0 < len(connection.pipeline) <= SLICE_BYTES // len(REQUEST) + 1
            application.go.set()
            for _ in range(20_000):
                assert b"200 OK" in await answer(reader)
            assert not connection.pipeline

    asyncio.run(send_thousands())


def test_what_is_read_ahead_of_the_answers_is_bounded() -> None:
    draining = Draining()
    unparsed: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        (connection,) = draining.connections
        assert isinstance(connection, HttpProtocol)
        unparsed.append(len(connection._unparsed))
        await receive()  # which goes on with reading, if it can
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    async def send_thousands() -> None:
        async with connected(application, draining) as (reader, writer):
            for _ in range(60):
                writer.write(REQUEST * 1000)  # 1.6 MB in all
            for _ in range(60_000):
                await answer(reader)

    asyncio.run(send_thousands())
    assert 0 < max(unparsed) <= 2 * EVENT_LOOP_READS_BYTES


def test_a_connection_that_has_ended_leaves_nothing_to_the_garbage_collector() -> None:
    async def ask_and_leave() -> None:
        application = Application()
        application.go.set()
        async with connected(application, Draining()) as (reader, writer):
            writer.write(REQUEST * 4 + b"nonsense\r\n\r\n")
            for _ in range(4):
                assert b"200 OK" in await answer(reader)
            assert b"400 Bad Request" in await answer(reader)

    def connections() -> list[object]:
        kinds = (HttpProtocol, RequestResponseCycle, Exchange)
        return [found for found in gc.get_objects() if issubclass(type(found), kinds)]

    gc.collect()
    gc.disable()
    before = connections()
    try:
        asyncio.run(ask_and_leave())
        assert connections() == before
    finally:
        gc.enable()
