"""The engine's own answers: a load test compares every answer it gets with them."""

import json
from collections.abc import Iterable
from pathlib import Path

from load_tests.precision import BACKENDS, Precision
from service.engine.backends.registry import BACKENDS as KINDS
from service.engine.bundle import Bundle
from service.engine.scorer import Scorer


class KnownAnswers:
    """Probabilities by label, for texts that are known beforehand."""

    def __init__(self, scores: dict[str, dict[str, float]], tolerance: float) -> None:
        self._scores = scores
        self._tolerance = tolerance

    @classmethod
    def load(cls, path: Path) -> "KnownAnswers":
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def scores(self, text: str) -> dict[str, float]:
        return self._scores[text]

    def problem(self, text: str, answer: object) -> str | None:
        """What is wrong with an answer to ``text``, in a few words; None if nothing is."""
        expected = self.scores(text)
        try:
            rows = [(row["label"], float(row["score"])) for row in answer]  # type: ignore[attr-defined]
        except (TypeError, KeyError, ValueError):
            return "not a list of labels with scores"
        got = dict(rows)
        if got.keys() != expected.keys():
            return f"labels {sorted(got)}"
        if [score for _, score in rows] != sorted(got.values(), reverse=True):
            return "not the highest first"
        error = max(abs(got[label] - expected[label]) for label in expected)
        return f"a score off by {error:.3g}" if error > self._tolerance else None


class ReferenceAnswers(KnownAnswers):
    """Answers computed by the engine, each text alone, when first needed, then kept."""

    def __init__(self, bundle: Path, precision: Precision) -> None:
        super().__init__({}, KINDS[BACKENDS[precision]].golden_tolerance)
        opened = Bundle(bundle)
        self._scorer = Scorer(opened, BACKENDS[precision])
        self.labels = opened.manifest.labels
        self.bundle_digest = opened.digest

    def scores(self, text: str) -> dict[str, float]:
        if text not in self._scores:
            row = self._scorer.probabilities([text])[0]  # (labels,)
            self._scores[text] = dict(zip(self.labels, map(float, row), strict=True))
        return self._scores[text]

    def save(self, texts: Iterable[str], path: Path) -> None:
        """Write the answers to ``texts`` for ``KnownAnswers.load``."""
        known = {"scores": {text: self.scores(text) for text in texts}}
        path.write_text(json.dumps({**known, "tolerance": self._tolerance}), encoding="utf-8")
