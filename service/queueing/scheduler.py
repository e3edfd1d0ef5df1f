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


class Lane(Generic[Text]):
    """One worker, as far as ordering goes: what it has been sent and not given back."""

    __slots__ = ("carries_suspect", "number", "progress_at", "texts", "tokens")

    def __init__(self, number: int) -> None:
        self.number = number
        self.texts: dict[int, Text] = {}  # by text id
        self.tokens = 0
        self.carries_suspect = False
        self.progress_at = 0.0


class Scheduler(Generic[Text]):
    """The queue, what every worker holds, and the texts that may have killed one.

    Texts are handed out only as far as a worker's credit allows, so that the choice of the next
    one stays late.
    """

    def __init__(self, credit_tokens: int, workers: int) -> None:
        self._credit_tokens = credit_tokens
        self._queue: TextQueue[Text] = TextQueue()
        self._suspects: deque[Text] = deque()
        self._open: list[Lane[Text]] = []
        self.lanes: list[Lane[Text]] = [Lane(number) for number in range(workers)]

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
        for lane in self.lanes:
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

    def open(self, lane: Lane[Text], now: float) -> None:
        """The worker is ready."""
        lane.progress_at = now
        self._open.append(lane)

    def add(self, text: Text) -> None:
        self._queue.push(text)

    def next(self, now: float) -> tuple[Lane[Text], Text, bool] | None:
        """Hand out one text: to whom, which, and whether it must run alone; None while nothing
        may be sent."""
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

    def take(self, lane: Lane[Text], text_id: int) -> Text:
        """The text with this id, which the worker has given back."""
        text = lane.texts.pop(text_id)
        lane.tokens -= text.tokens
        if not lane.texts:
            lane.carries_suspect = False
        return text

    def drop(self, text: Text) -> Lane[Text] | None:
        """Nobody wants the text any more: forget it, or say where it has been sent.

        There it stays until it comes back, so that a worker that hangs is found out, and is sent
        nothing more, however soon its clients give up.
        """
        self._queue.drop(text)
        for lane in self.lanes:
            if text.text_id in lane.texts:
                return lane
        return None

    def close(self, lane: Lane[Text]) -> list[Text]:
        """The worker died. The texts that are at fault for it; the others run again, one by one.

        Inference is pure, so they can. One of them may have killed the worker: alone, it can only
        harm itself, and a text that was alone when a second worker died is at fault.
        """
        if lane in self._open:  # else it died before it was ready
            self._open.remove(lane)
        unanswered = [text for text in lane.texts.values() if text.wanted]
        lane.texts.clear()
        lane.tokens = 0
        lane.carries_suspect = False
        self._suspects += [text for text in unanswered if not text.started_alone]
        return [text for text in unanswered if text.started_alone]

    def excuse(self, slept_seconds: float) -> None:
        """This process slept, and the workers may have: no progress was to be seen meanwhile."""
        for lane in self.lanes:
            lane.progress_at += slept_seconds

    def stalled(
        self, now: float, predict_seconds: Callable[[int, int, int], float]
    ) -> list[Lane[Text]]:
        """Workers that hang: no progress for far longer than all that they hold should take.

        ``predict_seconds`` takes texts, tokens and the longest text's tokens.
        """
        stalled = []
        for lane in self.lanes:
            if lane.texts:
                mean = lane.tokens // len(lane.texts)
                expected_seconds = predict_seconds(len(lane.texts), lane.tokens, mean)
                if now - lane.progress_at > max(HANG_FACTOR * expected_seconds, HANG_SECONDS):
                    stalled.append(lane)
        return stalled

    def _hand_out(
        self, lane: Lane[Text], text: Text, alone: bool, now: float
    ) -> tuple[Lane[Text], Text, bool]:
        if not lane.texts:
            lane.progress_at = now
        lane.texts[text.text_id] = text
        lane.tokens += text.tokens
        lane.carries_suspect = alone
        return lane, text, alone

    def _lane_for_suspects(self) -> Lane[Text] | None:
        """One at a time carries them, when it has run dry; the others take newcomers."""
        while self._suspects and not self._suspects[0].wanted:
            self._suspects.popleft()
        if not self._suspects or not self._open:
            return None
        for lane in self._open:
            if lane.carries_suspect:
                return lane
        return min(self._open, key=lambda lane: (len(lane.texts), lane.tokens))

    def _least_busy(self, reserved: Lane[Text] | None) -> Lane[Text] | None:
        """The worker that holds the fewest tokens, if that is within its credit."""
        best, fewest = None, self._credit_tokens
        for lane in self._open:
            if lane is reserved or lane.carries_suspect:
                continue
            if lane.tokens < fewest:
                best, fewest = lane, lane.tokens
        return best
