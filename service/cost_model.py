"""What a micro-batch will cost, learnt from what the last ones did cost."""

from collections.abc import Iterable

import numpy as np

# About the last 200 micro-batches count: enough to average noise, few enough to follow a
# neighbour who takes half the core.
FORGETTING = 0.995
# Learning from sixteen micro-batches at once costs hardly more than from one (50 µs).
LEARN_EVERY = 16
# a, b, c and d until anything is measured: tens of microseconds per token.
GUESS_SECONDS = (2e-4, 5e-5, 1e-5, 1e-5)

Sample = tuple[int, int, int, float]  # texts, tokens, longest, seconds


class CostModel:
    """Seconds of one forward pass ≈ a + b·texts + c·tokens + d·longest, fitted online.

    Least squares with exponential forgetting on relative errors: every equation is divided by its
    measured seconds, so that the cheap micro-batches, which are most, are not drowned by the dear
    ones. A ridge of the weight of one measurement holds each coefficient to its anchor, the fit of
    the warm-up: a load of one shape only says nothing about the others, and without the ridge
    their prediction would drift anywhere.

    ``tokens`` is what the backend executes: with padding where it computes padding.
    """

    def __init__(self) -> None:
        self._weights = list(GUESS_SECONDS)  # (features,)
        self._fresh: list[Sample] = []  # observed and not yet learnt from
        self._start_at(self._weights)
        self.relative_error = 0.0

    def _start_at(self, anchor: list[float]) -> None:
        ridge = 1.0 / np.maximum(np.abs(anchor), 1e-7) ** 2  # (features,)
        self._ridge = np.diag(ridge)  # (features, features)
        self._pull = ridge * anchor  # (features,)
        self._moments = np.zeros((4, 4))  # (features, features)
        self._products = np.zeros(4)  # (features,)

    def calibrate(self, samples: Iterable[Sample]) -> None:
        """Start anew from the measurements of a warm-up."""
        self._start_at(list(GUESS_SECONDS))
        self._fresh = list(samples)
        if self._fresh:
            self._learn()
        self._start_at(self._weights)

    def predict(self, texts: int, tokens: int, longest: int) -> float:
        """Seconds, never below 10 µs: no forward pass is free, whatever the fit says."""
        a, b, c, d = self._weights
        return max(1e-5, a + b * texts + c * tokens + d * longest)

    def observe(self, texts: int, tokens: int, longest: int, seconds: float) -> None:
        """Learn from one measured micro-batch."""
        error = abs(self.predict(texts, tokens, longest) - seconds) / max(seconds, 1e-6)
        self.relative_error += 0.05 * (error - self.relative_error)
        self._fresh.append((texts, tokens, longest, seconds))
        if len(self._fresh) == LEARN_EVERY:
            self._learn()

    def _learn(self) -> None:
        samples = np.array(self._fresh)  # (samples, 4)
        self._fresh.clear()
        scale = 1.0 / np.maximum(samples[:, 3:], 1e-6)  # (samples, 1)
        features = np.hstack([scale, samples[:, :3] * scale])  # (samples, features)
        kept = FORGETTING ** np.arange(len(samples), -1, -1)  # (1 + samples,): the past, then each
        recent = features * kept[1:, None]  # (samples, features)
        self._moments = kept[0] * self._moments + recent.T @ features
        self._products = kept[0] * self._products + recent.sum(axis=0)
        # Seconds per token are a millionth of seconds per call: without scaling by the ridge's
        # units the system is too badly conditioned to be solved in float64.
        units = 1.0 / np.sqrt(self._ridge.diagonal())  # (features,)
        scaled = (self._moments + self._ridge) * np.outer(units, units)
        self._weights = (
            np.linalg.solve(scaled, (self._products + self._pull) * units) * units
        ).tolist()
