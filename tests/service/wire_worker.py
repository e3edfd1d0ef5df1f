"""The worker's end of the Unix socket, in the event loop of a test that plays the worker."""

import asyncio
from pathlib import Path

import numpy as np

from service import wire
from service.wire import BatchFacts, Hello, SentText

LABELS = 2
# More than Linux gives out, so that killing it strikes nobody.
NOBODY = (1 << 22) + 1


class WireWorker:
    """Takes in what it is sent; answers, gives back and dies when the test says so."""

    def __init__(self, path: Path, pid: int = NOBODY) -> None:
        self._path = path
        self._hello = Hello(
            pid=pid,
            worker_id=0,
            device="cpu",
            backend="test",
            reason="",
            threads=1,
            labels=LABELS,
            warm_up=[],
        )
        self._changed = asyncio.Condition()
        self._writer: asyncio.StreamWriter | None = None
        self.received: list[SentText] = []
        self.cancelled: set[int] = set()

    async def listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        writer.write(self._hello.model_dump_json().encode() + b"\n")
        buffer = bytearray()
        while data := await reader.read(1 << 16):
            buffer += data
            texts, cancelled = wire.unpack_requests(buffer, 0, 0.0)
            async with self._changed:
                self.received += texts
                self.cancelled |= cancelled
                self._changed.notify_all()

    async def has(self, texts: int, cancelled: int = 0) -> None:
        """Wait until so many texts and cancellations have come."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: len(self.received) >= texts and len(self.cancelled) >= cancelled
            )

    @property
    def lives(self) -> bool:
        return self._server.is_serving()

    @property
    def lengths(self) -> list[int]:
        return [text.tokens for text in self.received]

    def answer(self, *texts: SentText) -> None:
        """One micro-batch; the logits of a text are its length and its id."""
        logits = np.array([[text.tokens, text.text_id] for text in texts], dtype=np.float32)
        tokens = sum(text.tokens for text in texts)
        longest = max(text.tokens for text in texts)
        facts = BatchFacts(len(texts), tokens, tokens, longest, 1.0, 1.5, counts=True)
        self._write(wire.pack_answers([*texts], [wire.ANSWERED] * len(texts), logits, facts))

    def say(self, text: SentText, status: int) -> None:
        """That a text was started, failed or was not run."""
        facts = BatchFacts(0, 0, 0, 0, 0.0, 0.0, counts=False)
        logits = np.zeros((1, LABELS), dtype=np.float32)
        self._write(wire.pack_answers([text], [status], logits, facts))

    def _write(self, frame: bytes) -> None:
        assert self._writer is not None
        self._writer.write(frame)

    async def die(self) -> None:
        """Like a process that ends: the connection breaks, the listener goes."""
        self._server.close()
        self._path.unlink(missing_ok=True)  # asyncio does it itself from Python 3.13 on
        if self._writer is not None:
            self._writer.close()
            await self._writer.wait_closed()
