"""The one place that orders: which text goes to which worker next, and what a death means."""

import asyncio
from collections import deque
from pathlib import Path

from service import wire
from service.admission import Admission
from service.cost_model import CostModel
from service.failure import DeadlinePassed, Internal
from service.metrics import MetricsRow
from service.prediction import Prediction, Text, now
from service.text_queue import TextQueue, due_time
from service.wire import AnswerFrame
from service.worker_link import WorkerLink

HANG_SECONDS = 5.0
HANG_FACTOR = 10.0
WATCH_SECONDS = 0.5


class Dispatcher:
    """Queue, links and credit of one API process.

    Texts are sent only as far as a worker's credit allows, so that the choice of the next one
    stays late; the worker cuts micro-batches from what all API processes have sent it.
    """

    def __init__(
        self,
        cost: CostModel,
        admission: Admission,
        credit_tokens: int,
        metrics: MetricsRow,
    ) -> None:
        self._cost = cost
        self._admission = admission
        self._credit_tokens = credit_tokens
        self._metrics = metrics
        self._suspects: deque[Text] = deque()
        self._last_text_id = 0
        self._flush_is_due = False
        self._tasks: list[asyncio.Task[None]] = []
        self.queue: TextQueue[Text] = TextQueue()
        self.links: list[WorkerLink] = []
        self._ready_links: list[WorkerLink] = []

    def start(self, socket_paths: list[Path]) -> None:
        self.links = [WorkerLink(path, self) for path in socket_paths]
        self._tasks = [asyncio.create_task(link.keep_connected()) for link in self.links]
        self._tasks.append(asyncio.create_task(self._watch_for_hangs()))

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for link in self.links:
            link.close()

    @property
    def workers_ready(self) -> int:
        return len(self._ready_links)

    @property
    def backlog(self) -> tuple[int, int]:
        """Texts and tokens that wait or run."""
        texts, tokens = self.queue.texts, self.queue.tokens
        for link in self.links:
            texts += len(link.outstanding)
            tokens += link.outstanding_tokens
        for suspect in self._suspects:
            texts += 1
            tokens += suspect.tokens
        return texts, tokens

    def submit(self, prediction: Prediction) -> None:
        prediction.queued_at = now()
        for text in prediction.texts:
            self._last_text_id += 1
            text.text_id = self._last_text_id
            cost = self._cost.predict(1, text.tokens, text.tokens)
            text.due_at = due_time(prediction.queued_at, cost, text.deadline_at)
            self.queue.push(text)
        self._pump()

    def abandon(self, prediction: Prediction, failure: Exception) -> None:
        """End a prediction early; what of it has not started is never started."""
        prediction.fail(failure)
        for text in prediction.texts:
            self.queue.drop(text)
            for link in self.links:
                link.cancel(text)
        self._pump()

    def link_ready(self, link: WorkerLink) -> None:
        assert link.hello is not None
        self._ready_links.append(link)
        self._cost.calibrate(link.hello.warm_up)
        self._metrics.set("workers_ready", self.workers_ready)
        self._pump()

    def link_answered(self, link: WorkerLink, frame: AnswerFrame) -> None:
        facts = frame.facts
        for (text_id, received_at, status), logits in zip(frame.entries, frame.logits, strict=True):
            if status == wire.STARTED:
                link.outstanding[text_id].started_alone = True
                continue
            text = link.take(text_id)
            prediction = text.prediction
            if prediction.answered.done():  # abandoned meanwhile
                continue
            if status == wire.ANSWERED:
                prediction.logits[text.index] = logits
                prediction.sent_at, prediction.received_at = text.sent_at, received_at
                prediction.started_at, prediction.finished_at = facts.started_at, facts.finished_at
                prediction.batch_texts = facts.texts
                self._answered_one(prediction)
            elif status == wire.NOT_RUN:
                self.abandon(prediction, DeadlinePassed("the deadline passed"))
            else:
                message = f"inputs[{text.index}]: the model failed on this text"
                self.abandon(prediction, Internal(message))
        self._pump()
        if facts.texts:
            seconds = facts.finished_at - facts.started_at
            self._cost.observe(facts.texts, facts.executed_tokens, facts.longest, seconds)
            self._metrics.set("cost_model_relative_error", self._cost.relative_error)
            if facts.counts:
                self._metrics.observe_batch(facts)

    def _answered_one(self, prediction: Prediction) -> None:
        prediction.remaining -= 1
        if prediction.remaining:
            return
        prediction.answered.set_result(None)
        if prediction.predicted_wait_seconds:
            waited_seconds = prediction.finished_at - prediction.queued_at
            self._admission.observe_wait(prediction.predicted_wait_seconds, waited_seconds)

    def link_lost(self, link: WorkerLink, unanswered: list[Text]) -> None:
        """Send what a dead worker left unanswered again, one by one: inference is pure.

        One of these texts may have killed it. Alone, it can only harm itself, and a text that
        was alone when a second worker died is at fault.
        """
        if link in self._ready_links:  # else it was lost before its worker had said hello
            self._ready_links.remove(link)
        self._metrics.set("workers_ready", self.workers_ready)
        for text in unanswered:
            if text.prediction.answered.done():
                continue
            if text.started_alone:
                message = f"inputs[{text.index}]: two workers died on this text"
                self.abandon(text.prediction, Internal(message))
            else:
                self._suspects.append(text)
        self._pump()

    def _pump(self) -> None:
        """Hand out texts while there is credit."""
        reserved = self._send_suspect() if self._suspects else None
        while self.queue.texts:
            link = self._open_link(reserved)
            text = self.queue.pop(now()) if link else None
            if link is None or text is None:
                break
            self._send(link, text, alone=False)
        if not self._flush_is_due:
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush)
        self._metrics.set("queue_depth", self.queue.texts + len(self._suspects))

    def _flush(self) -> None:
        """Once for all requests of one turn of the event loop: each write wakes a worker, which
        then finds texts to run together."""
        self._flush_is_due = False
        for link in self.links:
            link.flush()

    def _open_link(self, reserved: WorkerLink | None) -> WorkerLink | None:
        """The link with the fewest tokens on it, if that is within its credit."""
        best, fewest = None, self._credit_tokens
        for link in self._ready_links:
            if link is reserved or link.carries_suspect:
                continue
            if link.outstanding_tokens < fewest:
                best, fewest = link, link.outstanding_tokens
        return best

    def _send_suspect(self) -> WorkerLink | None:
        """The link that is left to run dry, then carries one suspect at a time: the least busy."""
        while self._suspects and self._suspects[0].prediction.answered.done():
            self._suspects.popleft()
        if not self._suspects or not self._ready_links:
            return None
        reserved = min(
            self._ready_links, key=lambda link: (len(link.outstanding), link.outstanding_tokens)
        )
        if not reserved.outstanding:
            self._send(reserved, self._suspects.popleft(), alone=True)
        return reserved

    def _send(self, link: WorkerLink, text: Text, alone: bool) -> None:
        text.sent_at = now()
        link.send(text, alone)

    async def _watch_for_hangs(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for link in self.links:
                if not link.outstanding:
                    continue
                texts, tokens = len(link.outstanding), link.outstanding_tokens
                expected_seconds = self._cost.predict(texts, tokens, tokens // texts)
                patience_seconds = max(HANG_FACTOR * expected_seconds, HANG_SECONDS)
                if now() - link.progress_at > patience_seconds:
                    link.kill_worker()
