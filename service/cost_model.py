"""What a micro-batch will cost, learnt from what the last ones did cost."""

import numpy as np
import numpy.typing as npt

FEATURES = 4
# About the last 200 micro-batches count: enough to average noise, few enough to follow a
# neighbour who takes half the core.
FORGETTING = 0.995
# A weak belief in tens of microseconds per token until measurements arrive.
PRIOR_SECONDS = (2e-4, 5e-5, 1e-5, 1e-6)


class CostModel:
    """Seconds of one forward pass ≈ a + b·texts + c·tokens + d·longest, fitted online.

    Recursive least squares with exponential forgetting (Haykin, Adaptive Filter Theory, ch. 10)
    on relative errors: every equation is divided by its measured seconds, so that the cheap
    micro-batches, which are most, are not drowned by the dear ones.

    ``tokens`` is what the backend executes: with padding where it computes padding.
    """

    def __init__(self) -> None:
        self._weights: npt.NDArray[np.float64] = np.array(PRIOR_SECONDS)  # (features,)
        # Asked several times per request, so kept as plain floats too.
        self._coefficients = PRIOR_SECONDS
        # Scaled so that each prior weight may be off by about itself.
        self._covariance = np.diag(np.square(self._weights)) * 1e2  # (features, features)
        self.relative_error = 0.0

    def predict(self, texts: int, tokens: int, longest: int) -> float:
        """Seconds, never below 10 µs: no forward pass is free, whatever the fit says."""
        a, b, c, d = self._coefficients
        return max(1e-5, a + b * texts + c * tokens + d * longest)

    def observe(self, texts: int, tokens: int, longest: int, seconds: float) -> None:
        """Learn from one measured micro-batch."""
        seconds = max(seconds, 1e-6)
        error = abs(self.predict(texts, tokens, longest) - seconds) / seconds
        self.relative_error += 0.05 * (error - self.relative_error)
        features = np.array([1.0, texts, tokens, longest]) / seconds  # (features,)
        projected = self._covariance @ features  # (features,)
        gain = projected / (FORGETTING + features @ projected)  # (features,)
        self._weights += gain * (1.0 - features @ self._weights)
        a, b, c, d = self._weights.tolist()
        self._coefficients = (a, b, c, d)
        self._covariance = (self._covariance - np.outer(gain, projected)) / FORGETTING
        # Forgetting inflates what goes unobserved for hours; a bound keeps the fit finite.
        np.clip(self._covariance, -1.0, 1.0, out=self._covariance)
