"""Logs as one JSON object per line, on stderr. No text of any client is ever logged."""

import json
import logging
import os
import sys
import threading
import time
from multiprocessing.util import Finalize
from queue import Empty, SimpleQueue

FIELDS = ("request_id", "method", "route", "code", "duration_ms")
LINES_LIMIT = 4096
LINES_AT_ONCE = 256
FLUSH_SECONDS_LIMIT = 1.0


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({name: getattr(record, name) for name in FIELDS if hasattr(record, name)})
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class LineWriter(logging.Handler):
    """Writes from a thread of its own: whoever logs never waits for whoever reads.

    What exceeds ``LINES_LIMIT`` is dropped, and how much it was is logged when there is room again.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._start()
        # A fork has the handler without the thread, and maybe a queue that the thread had locked.
        os.register_at_fork(after_in_child=self._start)
        # Forked and spawned processes end without logging's own shutdown.
        Finalize(self, self.flush, exitpriority=0)

    def _start(self) -> None:
        self._dropped = 0
        self._lines: SimpleQueue[str | threading.Event] = SimpleQueue()
        threading.Thread(target=self._write_lines, daemon=True, name="log").start()

    def emit(self, record: logging.LogRecord) -> None:
        if self._lines.qsize() >= LINES_LIMIT:
            self._dropped += 1
        else:
            self._lines.put(self.format(record))

    def flush(self) -> None:
        """Until everything is written, for a bounded time."""
        written = threading.Event()
        self._lines.put(written)
        written.wait(FLUSH_SECONDS_LIMIT)

    def _write_lines(self) -> None:
        while True:
            entries = [self._lines.get()]
            try:
                while len(entries) < LINES_AT_ONCE:
                    entries.append(self._lines.get_nowait())
            except Empty:
                pass
            lines = [entry for entry in entries if isinstance(entry, str)]
            if self._dropped:
                lines.append(self._confess())
            self._write("".join(f"{line}\n" for line in lines).encode(errors="replace"))
            for entry in entries:
                if isinstance(entry, threading.Event):
                    entry.set()

    def _confess(self) -> str:
        dropped, self._dropped = self._dropped, 0
        message = f"{dropped} lines were dropped: they were not read as fast as they came"
        return self.format(logging.LogRecord(__name__, logging.WARNING, "", 0, message, None, None))

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            pass  # closed, or on a full disk: there is nobody to tell


def log_json() -> None:
    """Send every logger of the process, LitServe's and uvicorn's too, to stderr as JSON.

    All but ``uvicorn.access``: given a handler, uvicorn would prepare a line for every request.
    """
    handler = LineWriter(sys.stderr.fileno()) if sys.stderr else logging.NullHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in ("litserve", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
