"""What a micro-batch will cost, learnt from what the last ones did cost."""

from collections.abc import Iterable

import numpy as np

# About the last 200 micro-batches count: enough to average noise, few enough to follow a
# neighbour who takes half the core.
FORGETTING = 0.995
# Solving costs as much as ten additions to the moments.
REFIT_EVERY = 8
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
        self._observed = 0
        self._start_at(self._weights)
        self.relative_error = 0.0

    def _start_at(self, anchor: list[float]) -> None:
        ridge = [1.0 / max(abs(weight), 1e-7) ** 2 for weight in anchor]
        self._ridge = np.diag(ridge)  # (features, features)
        self._pull = np.array(ridge) * anchor  # (features,)
        self._moments = [[0.0] * 4 for _ in range(4)]  # (features, features)
        self._products = [0.0] * 4  # (features,)

    def calibrate(self, samples: Iterable[Sample]) -> None:
        """Start anew from the measurements of a warm-up."""
        self._start_at(list(GUESS_SECONDS))
        for sample in samples:
            self._accumulate(*sample)
        self._refit()
        self._start_at(self._weights)

    def predict(self, texts: int, tokens: int, longest: int) -> float:
        """Seconds, never below 10 µs: no forward pass is free, whatever the fit says."""
        a, b, c, d = self._weights
        return max(1e-5, a + b * texts + c * tokens + d * longest)

    def observe(self, texts: int, tokens: int, longest: int, seconds: float) -> None:
        """Learn from one measured micro-batch."""
        error = abs(self.predict(texts, tokens, longest) - seconds) / max(seconds, 1e-6)
        self.relative_error += 0.05 * (error - self.relative_error)
        self._accumulate(texts, tokens, longest, seconds)
        self._observed += 1
        if self._observed % REFIT_EVERY == 0:
            self._refit()

    def _accumulate(self, texts: int, tokens: int, longest: int, seconds: float) -> None:
        scale = 1.0 / max(seconds, 1e-6)
        features = (scale, texts * scale, tokens * scale, longest * scale)
        self._products = [
            FORGETTING * product + feature
            for product, feature in zip(self._products, features, strict=True)
        ]
        self._moments = [
            [
                FORGETTING * moment + feature * other
                for moment, other in zip(row, features, strict=True)
            ]
            for row, feature in zip(self._moments, features, strict=True)
        ]

    def _refit(self) -> None:
        moments = np.array(self._moments) + self._ridge  # (features, features)
        products = np.array(self._products) + self._pull  # (features,)
        # Seconds per token are a millionth of seconds per call: without scaling by the ridge's
        # units the system is too badly conditioned to be solved in float64.
        units = 1.0 / np.sqrt(self._ridge.diagonal())  # (features,)
        scaled = moments * np.outer(units, units)
        self._weights = (np.linalg.solve(scaled, products * units) * units).tolist()
