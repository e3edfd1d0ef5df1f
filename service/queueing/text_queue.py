"""The texts that wait in the API process, in the order in which they are due. Pure state."""

import heapq
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

# A text is due when it has waited this many times its own cost: a short one soon, a long one
# later, and none never, because a due time once given is not moved.
STRETCH = 40.0
# Below this all are alike and the first to come is the first to run: a sentence that is overtaken
# by every shorter one waits twice as long at the 99th percentile, and the shorter ones gain little.
LEAST_COST_SECONDS = 1e-3


class Queueable(Protocol):
    tokens: int
    due_at: float
    deadline_at: float
    waiting: bool


Text = TypeVar("Text", bound=Queueable)


def due_time(now: float, cost_seconds: float, deadline_at: float) -> float:
    """When a text ought to run: after ``STRETCH`` times its cost, or in time for its deadline."""
    patience_seconds = STRETCH * max(cost_seconds, LEAST_COST_SECONDS)
    return min(now + patience_seconds, deadline_at - cost_seconds)


class TextQueue(Generic[Text]):
    """Earliest due first; ``texts`` and ``tokens`` count what really waits."""

    def __init__(self) -> None:
        self.texts = 0
        self.tokens = 0
        self._heap: list[tuple[float, int, Text]] = []
        self._pushed = 0

    def __iter__(self) -> Iterator[Text]:
        return (text for _, _, text in self._heap if text.waiting)

    def push(self, text: Text) -> None:
        text.waiting = True
        self._pushed += 1  # breaks ties in the order of arrival
        heapq.heappush(self._heap, (text.due_at, self._pushed, text))
        self.texts += 1
        self.tokens += text.tokens

    def pop(self, now: float) -> Text | None:
        """The text that is due first and still wanted: its deadline has not passed."""
        while self._heap:
            text = heapq.heappop(self._heap)[2]
            if not text.waiting:
                continue
            self._forget(text)
            if text.deadline_at > now:
                return text
        return None

    def drop(self, text: Text) -> None:
        """Forget a text if it waits here. It leaves the heap when its turn comes, or in a sweep."""
        if text.waiting:
            self._forget(text)
            if len(self._heap) > 64 and len(self._heap) > 2 * self.texts:
                self._heap = [entry for entry in self._heap if entry[2].waiting]
                heapq.heapify(self._heap)

    def _forget(self, text: Text) -> None:
        text.waiting = False
        self.texts -= 1
        self.tokens -= text.tokens
