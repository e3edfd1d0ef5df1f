"""Takes predictions to the workers and back: requests, links and metrics around the scheduler."""

import asyncio
from pathlib import Path

from service import wire
from service.awake_clock import AwakeClock
from service.cost_model import CostModel
from service.failure import DeadlinePassed, Internal
from service.metrics import MetricsRow
from service.prediction import Prediction, Text, now
from service.queueing.admission import Admission
from service.queueing.scheduler import Scheduler
from service.queueing.text_queue import due_time
from service.queueing.worker_link import WorkerLink
from service.wire import AnswerFrame

WATCH_SECONDS = 0.5


class Dispatcher:
    """One per API process. The worker cuts micro-batches from what all of them have sent it."""

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
        self._last_text_id = 0
        self._flush_is_due = False
        self._tasks: list[asyncio.Task[None]] = []
        self.links: list[WorkerLink] = []

    def start(self, socket_paths: list[Path]) -> None:
        self.scheduler: Scheduler[Text] = Scheduler(self._credit_tokens, len(socket_paths))
        self.links = [
            WorkerLink(path, lane, self)
            for path, lane in zip(socket_paths, self.scheduler.lanes, strict=True)
        ]
        self._tasks = [asyncio.create_task(link.keep_connected()) for link in self.links]
        self._tasks.append(asyncio.create_task(self._watch_for_hangs()))

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for link in self.links:
            link.close()

    def submit(self, prediction: Prediction) -> None:
        prediction.queued_at = now()
        for text in prediction.texts:
            self._last_text_id += 1
            text.text_id = self._last_text_id
            cost = self._cost.predict(1, text.tokens, text.tokens)
            text.due_at = due_time(prediction.queued_at, cost, text.deadline_at)
            self.scheduler.add(text)
        self._hand_out()

    def abandon(self, prediction: Prediction, failure: Exception) -> None:
        """End a prediction early; what of it has not started is never started."""
        prediction.fail(failure)
        for text in prediction.texts:
            lane = self.scheduler.drop(text)
            if lane is not None:
                self.links[lane.number].cancel(text)
        self._hand_out()

    def refuse_unsent(self, failure: Exception) -> None:
        """Nobody is left to run what waits."""
        for text in self.scheduler.unsent:
            self.abandon(text.prediction, failure)

    def link_ready(self, link: WorkerLink) -> None:
        assert link.hello is not None
        self.scheduler.open(link.lane, now())
        self._cost.calibrate(link.hello.warm_up)
        self._metrics.set("workers_ready", self.scheduler.workers_ready)
        self._hand_out()

    def link_answered(self, link: WorkerLink, frame: AnswerFrame) -> None:
        facts = frame.facts
        link.lane.progress_at = now()
        for (text_id, received_at, status), logits in zip(frame.entries, frame.logits, strict=True):
            if status == wire.STARTED:
                link.lane.texts[text_id].started_alone = True
                continue
            text = self.scheduler.take(link.lane, text_id)
            prediction = text.prediction
            if not text.wanted:  # abandoned meanwhile
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
        self._hand_out()
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

    def link_lost(self, link: WorkerLink) -> None:
        for text in self.scheduler.close(link.lane):
            message = f"inputs[{text.index}]: two workers died on this text"
            self.abandon(text.prediction, Internal(message))
        self._metrics.set("workers_ready", self.scheduler.workers_ready)
        self._hand_out()

    def _hand_out(self) -> None:
        """Send what may be sent."""
        while (handed_out := self.scheduler.next(now())) is not None:
            lane, text, alone = handed_out
            text.sent_at = now()
            self.links[lane.number].send(text, alone)
        if not self._flush_is_due:
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush)
        self._metrics.set("queue_depth", self.scheduler.waiting_texts)

    def _flush(self) -> None:
        """Once for all requests of one turn of the event loop: each write wakes a worker, which
        then finds texts to run together."""
        self._flush_is_due = False
        for link in self.links:
            link.flush()

    async def _watch_for_hangs(self) -> None:
        clock = AwakeClock(2 * WATCH_SECONDS)
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self.scheduler.excuse(clock.tick())
            for lane in self.scheduler.stalled(now(), self._cost.predict):
                self.links[lane.number].kill_worker()
