"""From the signal that ends an API process on, every answer is the last of its connection."""

import signal
from types import FrameType
from typing import Protocol


class Connection(Protocol):
    def close_after_answer(self) -> None: ...


class Draining:
    """Begins with the signal itself.

    uvicorn looks for signals ten times a second only. An answer that left before it looked would
    let the client ask again, over a connection that is about to be closed.
    """

    def __init__(self) -> None:
        self.begun = False
        self.connections: set[Connection] = set()
        self._handlers: dict[int, signal._HANDLER] = {}

    def listen(self) -> None:
        """Stand in front of the handlers that uvicorn has installed."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handlers[number] = signal.signal(number, self._begin)

    def _begin(self, number: int, frame: FrameType | None) -> None:
        if self.begun:
            return  # uvicorn takes a second SIGINT as leave to drop what it has read
        self.begun = True
        for connection in self.connections:
            connection.close_after_answer()
        handler = self._handlers[number]
        if callable(handler):
            handler(number, frame)
