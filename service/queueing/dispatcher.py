"""Takes predictions to the workers and back: requests, links and metrics around the scheduler."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from service import wire
from service.awake_clock import AwakeClock
from service.cost_model import CostModel
from service.engine.tokenizer import TokenIds
from service.failure import DeadlinePassed
from service.metrics import MetricsRow
from service.prediction import Prediction, Text, now
from service.queueing.scheduler import Scheduler
from service.queueing.text_failure import TextFailed, TextFailure, TextKilledWorkers
from service.queueing.text_queue import due_time
from service.queueing.worker_link import WorkerLink
from service.wire import AnswerFrame, BatchFacts, Hello

WATCH_SECONDS = 0.5


class Dispatcher:
    """One per model and API process. The worker cuts micro-batches from what all of them sent it.

    It is connected from ``start``, on the event loop, to ``stop``.
    """

    def __init__(
        self,
        cost: CostModel,
        credit_tokens: int,
        metrics: MetricsRow,
        socket_paths: Sequence[Path],
    ) -> None:
        self._cost = cost
        self._metrics = metrics
        self._scheduler: Scheduler[Text] = Scheduler(credit_tokens, len(socket_paths))
        self._links = [WorkerLink(path, worker, self) for worker, path in enumerate(socket_paths)]
        self.was_complete = False  # every worker has been ready at once
        self._last_text_id = 0
        self._flush_is_due = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(link.keep_connected()) for link in self._links]
        self._tasks.append(asyncio.create_task(self._watch_for_hangs()))

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for link in self._links:
            link.close()

    @property
    def workers(self) -> list[Hello | None]:
        """What each worker says of itself while it is connected."""
        return [link.hello for link in self._links]

    @property
    def workers_ready(self) -> int:
        return self._scheduler.workers_ready

    @property
    def backlog(self) -> tuple[int, int]:
        """Texts and tokens that wait or run."""
        return self._scheduler.backlog

    def submit(self, prediction: Prediction, token_ids: Sequence[TokenIds]) -> None:
        """Queue a text for each place of the prediction."""
        prediction.queued_at = now()
        for index, ids in enumerate(token_ids):
            self._last_text_id += 1
            cost_seconds = self._cost.predict(1, len(ids), len(ids))
            due_at = due_time(prediction.queued_at, cost_seconds, prediction.deadline_at)
            text = Text(self._last_text_id, ids, due_at)
            prediction.wait_for(text, index)
            self._scheduler.add(text)
        self._hand_out()

    def abandon(self, prediction: Prediction, failure: Exception) -> None:
        """End a prediction early; what nobody else waits for is never started, if it has not yet
        been."""
        prediction.fail(failure)
        for text in prediction.texts:
            text.leave(prediction)
            if not text.wanted:
                worker = self._scheduler.drop(text)
                if worker is not None:
                    self._links[worker].cancel(text)
        self._hand_out()

    def refuse_unsent(self, failure: Exception) -> None:
        """Nobody is left to run what waits."""
        for text in self._scheduler.unsent:
            for waiter in text.end():
                self.abandon(waiter.prediction, failure)

    def worker_ready(self, worker: int, hello: Hello) -> None:
        self._scheduler.open(worker)
        self.was_complete = self.was_complete or self.workers_ready == len(self._links)
        self._cost.calibrate(hello.warm_up)
        self._metrics.set("workers_ready", self.workers_ready)
        self._hand_out()

    def worker_answered(self, worker: int, frame: AnswerFrame) -> None:
        self._scheduler.progress(worker, now())
        for (text_id, received_at, status), logits in zip(frame.entries, frame.logits, strict=True):
            if status == wire.STARTED:
                self._scheduler.started_alone(worker, text_id)
                continue
            text = self._scheduler.take(worker, text_id)
            if status == wire.ANSWERED:
                for waiter in text.end():
                    waiter.prediction.take(
                        waiter.index, logits, text.sent_at, received_at, frame.facts
                    )
            elif status == wire.FAILED:
                self._fail(text, TextFailed)
            else:
                self._give_back(text)
        self._hand_out()
        if frame.facts.texts:
            self._learn(frame.facts)

    def worker_lost(self, worker: int) -> None:
        for text in self._scheduler.close(worker):
            self._fail(text, TextKilledWorkers)
        self._metrics.set("workers_ready", self.workers_ready)
        self._hand_out()

    def _fail(self, text: Text, failure: type[TextFailure]) -> None:
        for waiter in text.end():
            self.abandon(waiter.prediction, failure(waiter.index))

    def _give_back(self, text: Text) -> None:
        """It has not run, because it was cancelled or its deadline passed, as far as the worker
        knows: whoever has joined since waits on."""
        if text.wanted and text.deadline_at > now():
            self._scheduler.add(text)
            return
        for waiter in text.end():
            self.abandon(waiter.prediction, DeadlinePassed("the deadline passed"))

    def _learn(self, facts: BatchFacts) -> None:
        seconds = facts.finished_at - facts.started_at
        self._cost.observe(facts.texts, facts.executed_tokens, facts.longest, seconds)
        self._metrics.set("cost_model_relative_error", self._cost.relative_error)
        if facts.counts:
            self._metrics.observe_batch(facts)

    def _hand_out(self) -> None:
        """Send what may be sent."""
        while (handed_out := self._scheduler.next(now())) is not None:
            worker, text, alone = handed_out
            text.sent_at = now()
            self._links[worker].send(text, alone)
        if not self._flush_is_due:
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush)
        self._metrics.set("queue_depth", self._scheduler.waiting_texts)

    def _flush(self) -> None:
        """Once for all requests of one turn of the event loop: each write wakes a worker, which
        then finds texts to run together."""
        self._flush_is_due = False
        for link in self._links:
            link.flush()

    async def _watch_for_hangs(self) -> None:
        clock = AwakeClock(2 * WATCH_SECONDS)
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self._scheduler.excuse(clock.tick())
            for worker in self._scheduler.stalled(now(), self._cost.predict):
                self._links[worker].kill_worker()
