"""The engine's own answers, so that a load test can tell a wrong answer from a right one."""

from pathlib import Path

from load_tests.peer import Precision
from service.engine.backends.onnx import OnnxBackend
from service.engine.bundle import Bundle
from service.engine.golden import softmax
from service.engine.packed_batch import PackedBatch
from service.engine.tokenizer import TextTokenizer

BACKENDS: dict[Precision, str] = {"fp32": "onnx", "int8": "onnx-int8"}
# fp32 agrees in any company to 1e-5 and is written with seven digits; dynamic int8 scales the
# activations of each batch anew, which moves a score by a few hundredths.
TOLERANCE: dict[Precision, float] = {"fp32": 1e-4, "int8": 0.1}


class ReferenceAnswers:
    """Probabilities of texts computed alone, each once."""

    def __init__(self, bundle: Path, precision: Precision) -> None:
        opened = Bundle(bundle)
        self._tokenizer = TextTokenizer(opened)
        self._backend = OnnxBackend(opened, BACKENDS[precision], "cpu", 1)
        self._tolerance = TOLERANCE[precision]
        self._known: dict[str, dict[str, float]] = {}
        self.labels = opened.manifest.labels
        self.bundle_digest = opened.digest

    def scores(self, text: str) -> dict[str, float]:
        if text not in self._known:
            batch = PackedBatch.pack(self._tokenizer.encode([text]))
            row = softmax(self._backend.logits(batch))[0]  # (labels,)
            self._known[text] = dict(zip(self.labels, map(float, row), strict=True))
        return self._known[text]

    def problem(self, text: str, answer: object) -> str | None:
        """What is wrong with an answer to ``text``, in a few words; None if nothing is."""
        expected = self.scores(text)
        try:
            got = {row["label"]: float(row["score"]) for row in answer}  # type: ignore[attr-defined]
            order = [row["score"] for row in answer]  # type: ignore[attr-defined]
        except (TypeError, KeyError, ValueError):
            return "not a list of labels with scores"
        if got.keys() != expected.keys():
            return f"labels {sorted(got)}"
        if order != sorted(order, reverse=True):
            return "not the highest first"
        error = max(abs(got[label] - expected[label]) for label in expected)
        return f"a score off by {error:.3g}" if error > self._tolerance else None
