"""The API process's end of one Unix socket."""

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import Protocol, cast

from service import wire
from service.prediction import Text
from service.queueing.scheduler import Lane
from service.wire import AnswerFrame, Hello

# A worker takes about a second to come back; asking costs some 50 µs.
RECONNECT_SECONDS = 0.02

logger = logging.getLogger(__name__)


class LinkOwner(Protocol):
    def link_ready(self, link: "WorkerLink") -> None: ...

    def link_answered(self, link: "WorkerLink", frame: AnswerFrame) -> None: ...

    def link_lost(self, link: "WorkerLink") -> None: ...


class WorkerLink(asyncio.Protocol):
    """Connects, and connects again: a worker that was replaced is a new listener."""

    def __init__(self, path: Path, lane: Lane[Text], owner: LinkOwner) -> None:
        self._path = path
        self._owner = owner
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._outgoing: list[bytes] = []
        self._lost = asyncio.Event()
        self.hello: Hello | None = None
        self.lane = lane

    async def keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._lost.clear()
            try:
                await loop.create_unix_connection(lambda: self, str(self._path))
            except OSError:
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of WriteTransport but not its type.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self.hello is None:
            line, newline, rest = bytes(self._buffer).partition(b"\n")
            if not newline:
                return
            self.hello = Hello.model_validate_json(line)
            self._buffer = bytearray(rest)
            self._owner.link_ready(self)
        for frame in wire.unpack_answers(self._buffer):
            self._owner.link_answered(self, frame)

    def connection_lost(self, error: Exception | None) -> None:
        self.hello = None
        self._transport = None
        self._buffer.clear()
        self._outgoing.clear()
        self._lost.set()
        self._owner.link_lost(self)

    def send(self, text: Text, alone: bool) -> None:
        """Hand a text to the worker; ``flush`` writes what was handed over."""
        self._outgoing.append(
            wire.pack_text(text.text_id, text.token_ids, text.due_at, text.deadline_at, alone)
        )

    def cancel(self, text: Text) -> None:
        """Ask for a text back, unless the worker is already running it."""
        self._outgoing.append(wire.pack_cancel(text.text_id))

    def flush(self) -> None:
        if self._outgoing and self._transport is not None:
            self._transport.write(b"".join(self._outgoing))
            self._outgoing.clear()

    def kill_worker(self) -> None:
        """End a worker that hangs; LitServe starts another."""
        if self.hello is not None:
            logger.error("worker %d makes no progress and is replaced", self.hello.worker_id)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.hello.pid, signal.SIGKILL)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
