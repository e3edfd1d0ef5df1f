"""One request on its way through the service, and the texts that it waits for."""

import asyncio
import time

from service.engine.tokenizer import TokenIds
from service.wire import BatchFacts


class Text:
    """One piece of work: a text that runs once, for everyone who waits for it.

    Whoever waits no longer leaves. What nobody waits for need not run, and it must run in time for
    the most patient of those who do.
    """

    __slots__ = (
        "deadline_at",
        "due_at",
        "sent_at",
        "started_alone",
        "text_id",
        "token_ids",
        "tokens",
        "waiters",
        "waiting",
    )

    def __init__(self, text_id: int, token_ids: TokenIds, due_at: float) -> None:
        self.text_id = text_id
        self.token_ids = token_ids  # (time,)
        self.tokens = len(token_ids)
        self.due_at = due_at
        self.deadline_at = 0.0
        self.sent_at = 0.0
        self.waiting = False  # in the queue
        self.started_alone = False  # after a worker's death, in a micro-batch of its own
        self.waiters: tuple[Waiter, ...] = ()

    @property
    def wanted(self) -> bool:
        """Somebody still waits for it."""
        return bool(self.waiters)

    def join(self, waiter: "Waiter") -> None:
        self.waiters = (*self.waiters, waiter)
        self.deadline_at = max(self.deadline_at, waiter.prediction.deadline_at)

    def leave(self, prediction: "Prediction") -> None:
        """Nothing of this prediction waits here any more."""
        left = tuple(waiter for waiter in self.waiters if waiter.prediction is not prediction)
        if left and len(left) < len(self.waiters):
            self.deadline_at = max(waiter.prediction.deadline_at for waiter in left)
        self.waiters = left

    def end(self) -> "tuple[Waiter, ...]":
        """Those who waited, now that there is something to tell them."""
        waiters, self.waiters = self.waiters, ()
        return waiters


class Waiter:
    """A place in a prediction that a text is to fill."""

    __slots__ = ("index", "prediction")

    def __init__(self, prediction: "Prediction", index: int) -> None:
        self.prediction = prediction
        self.index = index


class Prediction:
    """A client batch is one request: it is answered as a whole or fails as a whole.

    The marks are ``time.monotonic()`` seconds. They follow the text that was answered last, so
    that the stages between them add up to the whole.
    """

    __slots__ = (
        "answered",
        "batch_texts",
        "deadline_at",
        "finished_at",
        "logits",
        "predicted_wait_seconds",
        "queued_at",
        "received_at",
        "remaining",
        "sent_at",
        "started_at",
        "texts",
        "tokens",
        "truncated",
    )

    def __init__(
        self,
        token_ids: list[TokenIds],
        truncated: int,
        deadline_at: float,
        predicted_wait_seconds: float,
    ) -> None:
        self.truncated = truncated  # texts that were cut to fit
        self.deadline_at = deadline_at
        self.predicted_wait_seconds = predicted_wait_seconds
        self.tokens = sum(map(len, token_ids))
        self.logits: list[list[float]] = [[]] * len(token_ids)  # texts × labels
        self.remaining = len(token_ids)
        self.texts: list[Text] = []  # that it waits for or has waited for
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.queued_at = self.sent_at = self.received_at = 0.0
        self.started_at = self.finished_at = 0.0
        self.batch_texts = 0

    def wait_for(self, text: Text, index: int) -> None:
        """The answer to ``text`` is the one at ``index`` here."""
        text.join(Waiter(self, index))
        self.texts.append(text)

    def take(
        self,
        index: int,
        logits: list[float],
        sent_at: float,
        received_at: float,
        facts: BatchFacts,
    ) -> None:
        """One of its texts has run; with the last one it is answered."""
        self.logits[index] = logits
        self.sent_at, self.received_at = sent_at, received_at
        self.started_at, self.finished_at = facts.started_at, facts.finished_at
        self.batch_texts = facts.texts
        self.remaining -= 1
        if not self.remaining:
            self.answered.set_result(None)

    def fail(self, failure: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(failure)

    def stages(self, started_at: float, ended_at: float) -> tuple[float, float, float, float]:
        """Seconds spent tokenising (with parsing), queueing, in transport and in inference.

        They add up to ``ended_at - started_at``. A prediction that was never sent has only
        tokenised and queued.
        """
        queued_at = self.queued_at or ended_at
        if not self.finished_at:
            return queued_at - started_at, ended_at - queued_at, 0.0, 0.0
        return (
            queued_at - started_at,
            (self.sent_at - queued_at) + (self.started_at - self.received_at),
            (self.received_at - self.sent_at) + (ended_at - self.finished_at),
            self.finished_at - self.started_at,
        )


def now() -> float:
    """The clock of every mark: monotonic, and the same in all processes of the machine."""
    return time.monotonic()
