"""Where one answer is written to."""

import asyncio
from typing import Protocol

HEAD_START = b"HTTP/1.1 "  # of every answer, whatever it will be
CONTINUE = HEAD_START + b"100 "


class Connection(Protocol):
    transport: asyncio.Transport

    def close_in_order(self) -> None: ...


class Outlet:
    """What uvicorn takes for the transport while it writes one answer.

    The head waits for the body, as ASGI demands of servers anyway: one system call and one packet
    are saved, a twentieth of what a short prediction costs here. In answer to ``HEAD`` no body
    comes, for which the head would wait in vain.
    """

    __slots__ = ("_begun", "_connection", "_head", "_joins")

    def __init__(self, connection: Connection, joins: bool) -> None:
        self._connection = connection
        self._joins = joins
        self._head = b""
        self._begun = False

    def begin(self) -> None:
        """Write what every answer begins with: the system of a client that has gone resets then."""
        if not self._begun:
            self._begun = True
            self._connection.transport.write(HEAD_START)

    def write(self, data: bytes) -> None:
        if data.startswith(CONTINUE):
            self._connection.transport.write(data)
        elif self._joins and not self._head:
            self._head = data
        else:
            data, self._head, self._joins = self._head + data, b"", False
            if self._begun and data.startswith(HEAD_START):
                data = data[len(HEAD_START) :]
            self._begun = True
            self._connection.transport.write(data)

    def close(self) -> None:
        self._connection.close_in_order()

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()
