"""The one place that orders: which text goes to which worker next, and what a death means.

Pure state: it knows neither sockets nor requests, and is told the time.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from service.queueing.text_queue import Queueable, TextQueue

HANG_SECONDS = 5.0
HANG_FACTOR = 10.0


class Schedulable(Queueable, Protocol):
    text_id: int
    started_alone: bool

    @property
    def wanted(self) -> bool: ...


Text = TypeVar("Text", bound=Schedulable)


class _Lane(Generic[Text]):
    """One worker, as far as ordering goes: what it has been sent and not given back."""

    __slots__ = ("carries_suspect", "progress_at", "texts", "tokens", "worker")

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.texts: dict[int, Text] = {}  # by text id
        self.tokens = 0
        self.carries_suspect = False
        self.progress_at = 0.0


class Scheduler(Generic[Text]):
    """The queue, what every worker holds, and the texts that may have killed one.

    Texts are handed out only as far as a worker's credit allows, so that the choice of the next
    one stays late. Workers are known by their numbers, from 0.
    """

    def __init__(self, credit_tokens: int, workers: int) -> None:
        self._credit_tokens = credit_tokens
        self._queue: TextQueue[Text] = TextQueue()
        self._suspects: deque[Text] = deque()
        self._lanes: list[_Lane[Text]] = [_Lane(worker) for worker in range(workers)]
        self._open: list[_Lane[Text]] = []

    @property
    def workers_ready(self) -> int:
        return len(self._open)

    @property
    def waiting_texts(self) -> int:
        return self._queue.texts + len(self._suspects)

    @property
    def backlog(self) -> tuple[int, int]:
        """Texts and tokens that wait or run."""
        texts, tokens = self._queue.texts, self._queue.tokens
        for lane in self._lanes:
            texts += len(lane.texts)
            tokens += lane.tokens
        for suspect in self._suspects:
            texts += 1
            tokens += suspect.tokens
        return texts, tokens

    @property
    def unsent(self) -> list[Text]:
        """What no worker holds."""
        return [*self._queue, *self._suspects]

    def open(self, worker: int) -> None:
        """The worker is ready."""
        self._open.append(self._lanes[worker])

    def add(self, text: Text) -> None:
        self._queue.push(text)

    def next(self, now: float) -> tuple[int, Text, bool] | None:
        """Hand out one text: to which worker, which, and whether it must run alone; None while
        nothing may be sent."""
        reserved = self._lane_for_suspects() if self._suspects else None
        if reserved is not None and not reserved.texts:
            return self._hand_out(reserved, self._suspects.popleft(), True, now)
        if not self._queue.texts:
            return None
        lane = self._least_busy(reserved)
        text = self._queue.pop(now) if lane is not None else None
        if lane is None or text is None:
            return None
        return self._hand_out(lane, text, False, now)

    def progress(self, worker: int, now: float) -> None:
        """The worker has said something: it does not hang."""
        self._lanes[worker].progress_at = now

    def excuse(self, slept_seconds: float) -> None:
        """This process slept, and the workers may have: no progress was to be seen meanwhile."""
        for lane in self._lanes:
            lane.progress_at += slept_seconds

    def started_alone(self, worker: int, text_id: int) -> None:
        """The worker runs this text and nothing else: should it die now, the text is at fault."""
        self._lanes[worker].texts[text_id].started_alone = True

    def take(self, worker: int, text_id: int) -> Text:
        """The text with this id, which the worker has given back."""
        lane = self._lanes[worker]
        text = lane.texts.pop(text_id)
        lane.tokens -= text.tokens
        if not lane.texts:
            lane.carries_suspect = False
        return text

    def drop(self, text: Text) -> int | None:
        """Nobody wants the text any more: forget it, or say which worker has been sent it.

        There it stays until it comes back, so that a worker that hangs is found out, and is sent
        nothing more, however soon its clients give up.
        """
        self._queue.drop(text)
        for lane in self._lanes:
            if text.text_id in lane.texts:
                return lane.worker
        return None

    def close(self, worker: int) -> list[Text]:
        """The worker died. The texts that are at fault for it; the others run again, one by one.

        Inference is pure, so they can. One of them may have killed the worker: alone, it can only
        harm itself, and a text that was alone when a second worker died is at fault.
        """
        lane = self._lanes[worker]
        if lane in self._open:  # else it died before it was ready
            self._open.remove(lane)
        unanswered = [text for text in lane.texts.values() if text.wanted]
        lane.texts.clear()
        lane.tokens = 0
        lane.carries_suspect = False
        self._suspects += [text for text in unanswered if not text.started_alone]
        return [text for text in unanswered if text.started_alone]

    def stalled(self, now: float, predict_seconds: Callable[[int, int, int], float]) -> list[int]:
        """Workers that hang: no progress for far longer than all that they hold should take.

        ``predict_seconds`` takes texts, their tokens and the tokens of one of them, for which the
        mean has to do: which of them run together is not known here.
        """
        stalled = []
        for lane in self._lanes:
            if lane.texts:
                mean = lane.tokens // len(lane.texts)
                expected_seconds = predict_seconds(len(lane.texts), lane.tokens, mean)
                if now - lane.progress_at > max(HANG_FACTOR * expected_seconds, HANG_SECONDS):
                    stalled.append(lane.worker)
        return stalled

    def _hand_out(
        self, lane: _Lane[Text], text: Text, alone: bool, now: float
    ) -> tuple[int, Text, bool]:
        if not lane.texts:
            lane.progress_at = now
        lane.texts[text.text_id] = text
        lane.tokens += text.tokens
        lane.carries_suspect = alone
        return lane.worker, text, alone

    def _lane_for_suspects(self) -> _Lane[Text] | None:
        """One worker at a time carries them, once it has nothing else; the others take the rest."""
        while self._suspects and not self._suspects[0].wanted:
            self._suspects.popleft()
        if not self._suspects or not self._open:
            return None
        for lane in self._open:
            if lane.carries_suspect:
                return lane
        return min(self._open, key=lambda lane: (len(lane.texts), lane.tokens))

    def _least_busy(self, reserved: _Lane[Text] | None) -> _Lane[Text] | None:
        """The worker that holds the fewest tokens, if that is within its credit."""
        best, fewest = None, self._credit_tokens
        for lane in self._open:
            if lane is reserved or lane.carries_suspect:
                continue
            if lane.tokens < fewest:
                best, fewest = lane, lane.tokens
        return best
