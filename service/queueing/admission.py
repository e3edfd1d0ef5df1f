"""Who may join the queue: decided from the lengths, before anything is spent on the texts."""

from service.cost_model import CostModel
from service.failure import Overloaded

# English in a subword vocabulary; learnt from the texts that come.
INITIAL_CHARACTERS_PER_TOKEN = 4.5
# Of the time that is left, the share that a wait may be predicted to take. Predictions err, a
# request has waited in its socket before it was read, and an answer that comes late was work for
# nothing; a shorter queue keeps the workers just as busy. At five times the capacity and with a
# deadline of a second, 0.5 let twice as many answers come late.
HEADROOM = 0.4


class Admission:
    """Bounds of the queue and the wait that a newcomer must expect. Pure state.

    ``correction`` is the ratio of waits seen to waits predicted: it carries what the cost model
    can't know, such as the cores that HTTP and neighbours take.
    """

    def __init__(
        self, cost: CostModel, micro_batch_texts: int, max_texts: int, max_tokens: int
    ) -> None:
        self._cost = cost
        self._micro_batch_texts = micro_batch_texts
        self._max_texts = max_texts
        self._max_tokens = max_tokens
        self._characters_per_token = INITIAL_CHARACTERS_PER_TOKEN
        self.correction = 1.0

    def estimate_tokens(self, characters: int) -> int:
        return max(1, round(characters / self._characters_per_token))

    def observe_length(self, characters: int, tokens: int) -> None:
        self._characters_per_token += 0.01 * (characters / tokens - self._characters_per_token)

    def observe_wait(self, predicted_seconds: float, seconds: float) -> None:
        """Compare a wait that was predicted with ``backlog_seconds`` with the one that came."""
        ratio = seconds * self.correction / predicted_seconds
        self.correction += 0.02 * (min(10.0, max(0.1, ratio)) - self.correction)

    def backlog_seconds(self, texts: int, tokens: int, workers: int) -> float:
        """Time to drain ``texts`` of ``tokens`` in all, cut into micro-batches of their mean."""
        if texts == 0:
            return 0.0
        longest = tokens / texts
        size = min(texts, self._micro_batch_texts)
        seconds = self._cost.predict(size, round(size * longest), round(longest)) * texts / size
        return seconds * self.correction / max(1, workers)

    def admit(
        self,
        characters: int,
        texts: int,
        seconds_left: float,
        queued_texts: int,
        queued_tokens: int,
        workers: int,
    ) -> float:
        """The predicted wait in seconds of a newcomer who may join.

        Raises:
            Overloaded: the queue is full, or the deadline can't be met.
        """
        tokens = self.estimate_tokens(characters)
        all_texts, all_tokens = queued_texts + texts, queued_tokens + tokens
        wait_seconds = self.backlog_seconds(all_texts, all_tokens, workers)
        if queued_texts and (all_texts > self._max_texts or all_tokens > self._max_tokens):
            raise Overloaded("the queue is full", "queue_full", wait_seconds)
        if queued_texts and wait_seconds > HEADROOM * seconds_left:
            message = "the deadline can't be met: too much is waiting"
            raise Overloaded(message, "deadline_unreachable", wait_seconds)
        return wait_seconds
