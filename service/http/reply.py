"""The answer's bytes and headers, from logits."""

import json
import math
from operator import itemgetter

from service.http.exchange import Headers
from service.prediction import Prediction


def probabilities(logits: list[float]) -> list[float]:
    """Softmax, (labels,)."""
    highest = max(logits)
    exponentials = [math.exp(logit - highest) for logit in logits]
    total = sum(exponentials)
    return [exponential / total for exponential in exponentials]


_score = itemgetter(0)


class ReplyWriter:
    """Knows the labels and the model version."""

    def __init__(self, labels: list[str], model_version: str) -> None:
        self._openings = [f'{{"label":{json.dumps(label)},"score":' for label in labels]
        self._model_version = model_version.encode("ascii")

    def body(self, prediction: Prediction, batch: bool, raw_scores: bool) -> bytes:
        """Labels with scores, highest first; a list of those for a batch."""
        rows = [
            self._row(logits if raw_scores else probabilities(logits))
            for logits in prediction.logits
        ]
        return (f"[{','.join(rows)}]" if batch else rows[0]).encode()

    def _row(self, scores: list[float]) -> str:
        ranked = sorted(zip(scores, self._openings, strict=True), key=_score, reverse=True)
        # Seven digits are all that float32 holds.
        return f"[{','.join([f'{opening}{score:.7g}}}' for score, opening in ranked])}]"

    def headers(self, prediction: Prediction, started_at: float, ended_at: float) -> Headers:
        headers = [
            (b"x-model-version", self._model_version),
            (b"x-tokens", b"%d" % prediction.tokens),
            (b"x-batch-size", b"%d" % prediction.batch_texts),
            server_timing(started_at, ended_at, prediction),
        ]
        if prediction.truncated:
            headers.append((b"x-truncated", b"%d" % prediction.truncated))
        return headers


def server_timing(
    started_at: float, ended_at: float, prediction: Prediction | None = None
) -> tuple[bytes, bytes]:
    """``Server-Timing`` in ms; a request that ended before it was queued has tokenised only."""
    if prediction is None:
        tokenize, queue, transport, inference = ended_at - started_at, 0.0, 0.0, 0.0
    else:
        tokenize, queue, transport, inference = prediction.stages(started_at, ended_at)
    value = (
        f"tokenize;dur={tokenize * 1e3:.3f}, queue;dur={queue * 1e3:.3f}, "
        f"transport;dur={transport * 1e3:.3f}, inference;dur={inference * 1e3:.3f}, "
        f"total;dur={(ended_at - started_at) * 1e3:.3f}"
    )
    return b"server-timing", value.encode("ascii")
