"""One request on its way through the service: its texts, its clock marks, its answer."""

import asyncio
import time

from service.engine.tokenizer import TokenIds


class Text:
    """One text of a request, from the queue to its logits."""

    __slots__ = (
        "deadline_at",
        "due_at",
        "index",
        "prediction",
        "sent_at",
        "started_alone",
        "text_id",
        "token_ids",
        "tokens",
        "waiting",
    )

    def __init__(self, token_ids: TokenIds, index: int, prediction: "Prediction") -> None:
        self.token_ids = token_ids  # (time,)
        self.tokens = len(token_ids)
        self.index = index
        self.prediction = prediction
        self.text_id = 0
        self.due_at = 0.0
        self.deadline_at = prediction.deadline_at
        self.sent_at = 0.0
        self.waiting = False  # in the queue
        self.started_alone = False  # after a worker's death, in a micro-batch of its own

    @property
    def wanted(self) -> bool:
        """Somebody still waits for it."""
        return not self.prediction.answered.done()


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
        self.texts = [Text(ids, index, self) for index, ids in enumerate(token_ids)]
        self.tokens = sum(text.tokens for text in self.texts)
        self.logits: list[list[float]] = [[]] * len(token_ids)  # texts × labels
        self.remaining = len(token_ids)
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.predicted_wait_seconds = predicted_wait_seconds
        self.queued_at = self.sent_at = self.received_at = 0.0
        self.started_at = self.finished_at = 0.0
        self.batch_texts = 0

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
