"""The API process's end of one Unix socket: what a worker has been sent and not yet answered."""

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import Protocol, cast

from service import wire
from service.prediction import Text, now
from service.wire import AnswerFrame, Hello

# A worker takes about a second to come back; asking costs some 50 µs.
RECONNECT_SECONDS = 0.02

logger = logging.getLogger(__name__)


class LinkOwner(Protocol):
    def link_ready(self, link: "WorkerLink") -> None: ...

    def link_answered(self, link: "WorkerLink", frame: AnswerFrame) -> None: ...

    def link_lost(self, link: "WorkerLink", unanswered: list[Text]) -> None: ...


class WorkerLink(asyncio.Protocol):
    """Connects, and connects again: a worker that was replaced is a new listener."""

    def __init__(self, path: Path, owner: LinkOwner) -> None:
        self._path = path
        self._owner = owner
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._outgoing: list[bytes] = []
        self._lost = asyncio.Event()
        self.hello: Hello | None = None
        self.outstanding: dict[int, Text] = {}
        self.outstanding_tokens = 0
        self.carries_suspect = False
        self.progress_at = now()

    @property
    def ready(self) -> bool:
        return self.hello is not None

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
            self.progress_at = now()
            self._owner.link_ready(self)
        for frame in wire.unpack_answers(self._buffer):
            self.progress_at = now()
            self._owner.link_answered(self, frame)

    def connection_lost(self, error: Exception | None) -> None:
        unanswered = list(self.outstanding.values())
        self.hello = None
        self._transport = None
        self._buffer.clear()
        self._outgoing.clear()
        self.outstanding.clear()
        self.outstanding_tokens = 0
        self.carries_suspect = False
        self._lost.set()
        self._owner.link_lost(self, unanswered)

    def send(self, text: Text, alone: bool) -> None:
        """Hand a text to the worker; ``flush`` writes what was handed over."""
        if not self.outstanding:
            self.progress_at = now()
        self.outstanding[text.text_id] = text
        self.outstanding_tokens += text.tokens
        self.carries_suspect = alone
        self._outgoing.append(
            wire.pack_text(text.text_id, text.token_ids, text.due_at, text.deadline_at, alone)
        )

    def take(self, text_id: int) -> Text:
        """The outstanding text with this id, which has come back."""
        text = self.outstanding.pop(text_id)
        self.outstanding_tokens -= text.tokens
        if not self.outstanding:
            self.carries_suspect = False
        return text

    def cancel(self, text: Text) -> None:
        """Ask for a text back, unless the worker is already running it.

        It stays outstanding until it comes, so that a worker that hangs is found out, and is
        sent nothing more, however soon its clients give up.
        """
        if text.text_id in self.outstanding:
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
