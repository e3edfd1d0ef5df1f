"""The LitLoop: the worker's side of the Unix socket, one micro-batch after the other.

One thread does everything in turn: take in what has arrived, cut, run, answer. Nothing waits on
a timer: an idle worker runs the first text at once, and what arrives meanwhile is the next batch.
"""

import logging
import os
import selectors
import signal
import socket
import time
from pathlib import Path

import numpy as np
from litserve.loops import LitLoop

from service import wire
from service.cost_model import CostModel
from service.engine.logits import Logits
from service.settings import Settings
from service.wire import BatchFacts, SentText
from service.worker.inference_api import InferenceApi
from service.worker.micro_batch_cutter import MicroBatchCutter

RECEIVE_BYTES = 1 << 18
# An API process that reads nothing for this long is stopped or dying; others must not wait for it.
SEND_TIMEOUT_SECONDS = 2.0
# Where cores are scarce, a worker that is woken by a text must not keep the API process from the
# texts behind it: it would run them one by one, at twice the cost of running them together.
NICENESS = 10

logger = logging.getLogger(__name__)


def socket_path(directory: Path, worker_id: int) -> Path:
    return directory / f"worker-{worker_id}.sock"


class InferenceLoop(LitLoop):  # type: ignore[misc]
    """Pickled into every worker, so it holds settings only until ``run``."""

    def __init__(self, socket_directory: Path, settings: Settings) -> None:
        super().__init__()
        self._socket_directory = socket_directory
        self._settings = settings

    def run(self, lit_api: InferenceApi, *args: object, **kwargs: object) -> None:
        """Serve until told to end and every API process has left. LitServe calls this."""
        os.nice(NICENESS)
        cost = CostModel()
        cost.calibrate(lit_api.hello.warm_up)
        cutter: MicroBatchCutter[SentText] = MicroBatchCutter(
            cost,
            self._settings.micro_batch_texts,
            self._settings.micro_batch_tokens,
            self._settings.micro_batch_ms / 1e3,
        )
        worker = Worker(lit_api, cutter, cost)
        path = socket_path(self._socket_directory, lit_api.hello.worker_id)
        try:
            worker.listen(path)
        except OSError as error:
            logger.error("the socket %s can't be made: %s", path, error.strerror)
            logging.shutdown()
            os._exit(1)  # LitServe would call run again
        worker.serve()
        # LitServe would call run again, and the interpreter would take 0.3 s to tear down what the
        # kernel frees at once.
        logging.shutdown()
        os._exit(0)


class Worker:
    """Reads texts from its connections and answers each micro-batch as it finishes."""

    def __init__(
        self, lit_api: InferenceApi, cutter: MicroBatchCutter[SentText], cost: CostModel
    ) -> None:
        self._lit_api = lit_api
        self._cutter = cutter
        self._cost = cost
        self._selector = selectors.DefaultSelector()
        self._connections: dict[int, socket.socket] = {}
        self._buffers: dict[int, bytearray] = {}
        self._texts: dict[tuple[int, int], SentText] = {}  # by connection and text id
        self._ending = False

    def listen(self, path: Path) -> None:
        """A new listener under the same name takes the place of a dead worker's."""
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._selector.register(self._listener, selectors.EVENT_READ)
        wake_up, woken = socket.socketpair()
        wake_up.setblocking(False)
        woken.setblocking(False)
        signal.set_wakeup_fd(wake_up.fileno())
        self._woken, self._wake_up = woken, wake_up
        self._selector.register(woken, selectors.EVENT_READ)
        # A signal to the whole group must not end a worker that API processes still need.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, *signal_and_frame: object) -> None:
        self._ending = True

    def serve(self) -> None:
        while not (self._ending and not self._connections):
            self._take_in(timeout=0.0 if len(self._cutter) else None)
            now = time.monotonic()
            self._give_back(self._cutter.expire(now), wire.NOT_RUN)
            batch = self._cutter.cut()
            if batch:
                self._run(batch)

    def _take_in(self, timeout: float | None) -> None:
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._woken:
                self._woken.recv(64)
            else:
                self._receive(key.fd)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(SEND_TIMEOUT_SECONDS)
        self._connections[connection.fileno()] = connection
        self._buffers[connection.fileno()] = bytearray()
        self._selector.register(connection, selectors.EVENT_READ)
        self._send(connection.fileno(), self._lit_api.hello.model_dump_json().encode() + b"\n")
        self._lit_api.started()

    def _receive(self, number: int) -> None:
        try:
            received = self._connections[number].recv(RECEIVE_BYTES)
        except OSError:
            received = b""
        if not received:
            self._close(number)
            return
        buffer = self._buffers[number]
        buffer += received
        texts, cancelled = wire.unpack_requests(buffer, number, time.monotonic())
        for text in texts:
            self._texts[number, text.text_id] = text
            self._cutter.add(text)
        if cancelled:
            keys = self._texts.keys() & {(number, text_id) for text_id in cancelled}
            texts = [self._texts[key] for key in keys]
            self._cutter.remove(set(texts))
            self._give_back(texts, wire.NOT_RUN)

    def _close(self, number: int) -> None:
        """Nobody is left to answer: what the connection sent is not run any more."""
        connection = self._connections.pop(number)
        self._selector.unregister(connection)
        connection.close()
        del self._buffers[number]
        texts = {text for text in self._texts.values() if text.connection == number}
        self._cutter.remove(texts)
        for text in texts:
            del self._texts[number, text.text_id]

    def _run(self, texts: list[SentText]) -> None:
        """One forward pass; if it fails, halves of it, until the text at fault stands alone."""
        if texts[0].alone:
            self._send(texts[0].connection, self._without_logits(texts[0], wire.STARTED))
        started_at = time.monotonic()
        try:
            batch = self._lit_api.batch([text.token_ids for text in texts])
            logits: Logits = self._lit_api.unbatch(self._lit_api.predict(batch))  # (texts, labels)
        except Exception as error:
            if len(texts) > 1:
                middle = len(texts) // 2
                self._run(texts[:middle])
                self._run(texts[middle:])
                return
            logger.error("a text of %d tokens fails: %s", texts[0].tokens, type(error).__name__)
            self._give_back(texts, wire.FAILED)
            return
        finished_at = time.monotonic()
        executed_tokens = self._lit_api.executed_tokens(batch)
        finite = np.isfinite(logits.sum(axis=1))  # (texts,)
        statuses = [wire.ANSWERED if fine else wire.FAILED for fine in finite.tolist()]
        facts = BatchFacts(
            batch.texts,
            batch.tokens,
            executed_tokens,
            batch.longest,
            started_at,
            finished_at,
            counts=True,
        )
        self._answer(texts, statuses, logits, facts)
        seconds = finished_at - started_at
        self._cost.observe(batch.texts, executed_tokens, batch.longest, seconds)

    def _give_back(self, texts: list[SentText], status: int) -> None:
        """Tell whoever sent these texts that they come to nothing."""
        for text in texts:
            self._texts.pop((text.connection, text.text_id), None)
            self._send(text.connection, self._without_logits(text, status))

    def _without_logits(self, text: SentText, status: int) -> bytes:
        logits = np.zeros((1, self._lit_api.hello.labels), dtype=np.float32)
        facts = BatchFacts(0, 0, 0, 0, 0.0, 0.0, counts=False)
        return wire.pack_answers([text], [status], logits, facts)

    def _answer(
        self, texts: list[SentText], statuses: list[int], logits: Logits, facts: BatchFacts
    ) -> None:
        for number in {text.connection for text in texts}:
            rows = [row for row, text in enumerate(texts) if text.connection == number]
            mine = [texts[row] for row in rows]
            for text in mine:
                self._texts.pop((number, text.text_id), None)
            frame = wire.pack_answers(mine, [statuses[row] for row in rows], logits[rows], facts)
            facts.counts = False
            self._send(number, frame)

    def _send(self, number: int, content: bytes) -> None:
        connection = self._connections.get(number)
        if connection is None:  # lost while the other half of a split batch ran
            return
        try:
            connection.sendall(content)
        except OSError as error:
            logger.error("worker %d drops a connection: %s", os.getpid(), error)
            self._close(number)
