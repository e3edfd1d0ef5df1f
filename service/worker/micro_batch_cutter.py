"""Which texts run together: similar lengths, within a budget, most overdue first. Pure state."""

from bisect import bisect_left, bisect_right, insort
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from service.cost_model import CostModel

# Lengths may differ from the seed's by 15 % and two tokens either way: at most a quarter of
# padding in the worst case, about a fifteenth on a mixed load.
LENGTH_TOLERANCE = 1.15
LENGTH_SLACK_TOKENS = 2


class Cuttable(Protocol):
    tokens: int
    due_at: float
    deadline_at: float
    alone: bool


Text = TypeVar("Text", bound=Cuttable)
_tokens = attrgetter("tokens")
_due_at = attrgetter("due_at")


class MicroBatchCutter(Generic[Text]):
    """Holds what a worker has been sent and cuts it into micro-batches.

    A micro-batch has at most ``max_texts`` and, if it has more than one text, at most
    ``max_tokens`` padded tokens and a predicted cost of ``max_seconds``: that is the longest that
    a short text can find the worker busy with others.
    """

    def __init__(
        self, cost: CostModel, max_texts: int, max_tokens: int, max_seconds: float
    ) -> None:
        self._cost = cost
        self._max_texts = max_texts
        self._max_tokens = max_tokens
        self._max_seconds = max_seconds
        self._waiting: list[Text] = []  # shortest first

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, text: Text) -> None:
        insort(self._waiting, text, key=_tokens)

    def remove(self, unwanted: set[Text]) -> None:
        self._waiting = [text for text in self._waiting if text not in unwanted]

    def expire(self, now: float) -> list[Text]:
        """Take out the texts whose deadline has passed: they must not be started any more."""
        expired = [text for text in self._waiting if text.deadline_at <= now]
        if expired:
            self.remove(set(expired))
        return expired

    def cut(self) -> list[Text]:
        """Take out the next micro-batch; empty when nothing waits."""
        if not self._waiting:
            return []
        seed = min(self._waiting, key=_due_at)
        batch = [seed] if seed.alone else self._companions(seed)
        self.remove(set(batch))
        return batch

    def _companions(self, seed: Text) -> list[Text]:
        low = seed.tokens / LENGTH_TOLERANCE - LENGTH_SLACK_TOKENS
        high = seed.tokens * LENGTH_TOLERANCE + LENGTH_SLACK_TOKENS
        similar = self._waiting[
            bisect_left(self._waiting, low, key=_tokens) : bisect_right(
                self._waiting, high, key=_tokens
            )
        ]
        batch, longest = [seed], seed.tokens
        for text in sorted(similar, key=_due_at):
            if len(batch) == self._max_texts:
                break
            if text is seed or text.alone:
                continue
            size, time = len(batch) + 1, max(longest, text.tokens)
            if size * time > self._max_tokens:
                continue
            if self._cost.predict(size, size * time, time) > self._max_seconds:
                continue
            batch.append(text)
            longest = time
        return batch
