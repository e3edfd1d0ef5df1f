"""Time in which this process was awake: what others did not get done while it slept says nothing.

A stopped process group, a paused container and a suspended machine wake up to a clock that has
gone on. To whoever compares two moments, everybody else has then been idle for all of it.
"""

import time
from collections.abc import Callable


class AwakeClock:
    """Seconds since some moment, without those that lie between two ticks too far apart.

    ``tick`` must be called more often than every ``step_seconds``.
    """

    def __init__(self, step_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._step_seconds = step_seconds
        self._clock = clock
        self._ticked_at = clock()
        self._slept_seconds = 0.0

    def __call__(self) -> float:
        return self._clock() - self._slept_seconds

    def tick(self) -> float:
        """The seconds that were slept since the last tick."""
        now = self._clock()
        slept_seconds = max(0.0, now - self._ticked_at - self._step_seconds)
        self._ticked_at = now
        self._slept_seconds += slept_seconds
        return slept_seconds
