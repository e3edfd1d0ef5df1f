"""Bounds on what a client may do with its connection: dawdle, go on sending, never read, leave."""

import asyncio
import socket
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl

# For a request's head, and again for its body.
READ_SECONDS_LIMIT = 10.0
# What a client has still on its way when it is refused early. A body eight times over the limit
# gets its 413 even from a client that reads only after it has written all of it.
REST_BYTES_LIMIT = 16 << 20
REST_SECONDS_LIMIT = 5.0
WRITE_SECONDS_LIMIT = 10.0
# The system of a client that has gone resets the connection within a round trip.
LOOK_SECONDS, LOOK_SECONDS_LIMIT = 0.005, 1.0


class HeldFlow(FlowControl):
    """Reading stays paused while it is held, whoever else would go on with it."""

    held = False

    def hold(self) -> None:
        self.held = True
        self.pause_reading()

    def release(self) -> None:
        self.held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class ReadTimer:
    """Gives up on a head or a body that takes too long. Made anew for each of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._message: object = None
        self._reads_body = False

    def await_more(self, message: object, reads_body: bool, give_up: Callable[[], None]) -> None:
        """Begin, unless it has begun already for this part of this message."""
        if (
            self._timer is None
            or self._message is not message
            or self._reads_body is not reads_body
        ):
            self.stop()
            self._message, self._reads_body = message, reads_body
            self._timer = self._loop.call_later(READ_SECONDS_LIMIT, give_up)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._message = None


class Linger:
    """Reads on after an answer, for a bounded time and a bounded number of bytes.

    A connection that is closed with something unread in its buffer is reset, and the reset may
    overtake the answer.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, give_up: Callable[[], None]) -> None:
        self._bytes_left = REST_BYTES_LIMIT
        self._give_up = give_up
        self._timer = loop.call_later(REST_SECONDS_LIMIT, give_up)

    def take(self, size: int) -> None:
        """So many bytes have come."""
        self._bytes_left -= size
        if self._bytes_left < 0:
            self.stop()
            self._give_up()

    def stop(self) -> None:
        self._timer.cancel()


class WriteTimer:
    """Ends a connection whose client takes nothing of what was written for too long."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Until all is written, or ``stop``. Nothing may be added meanwhile."""
        size = self._transport.get_write_buffer_size()
        if size and self._timer is None:
            self._timer = self._loop.call_later(WRITE_SECONDS_LIMIT, self._look, size)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, size_before: int) -> None:
        self._timer = None
        if self._transport.get_write_buffer_size() >= size_before:
            self._transport.abort()
        else:
            self.watch()


class ResetWatch:
    """Looks for the reset of a connection whose end of stream was read.

    An event loop does not poll such a connection any more, and would see it at the next write only.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._seconds = LOOK_SECONDS
        self._timer = loop.call_later(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        connection = self._transport.get_extra_info("socket")
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._transport.abort()
        else:
            self._seconds = min(2 * self._seconds, LOOK_SECONDS_LIMIT)
            self._timer = self._loop.call_later(self._seconds, self._look)
