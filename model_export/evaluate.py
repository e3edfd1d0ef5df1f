"""How good a bundle is on labelled texts: accuracy, calibration and confusion, as numbers."""

import json
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table

from model_export.behaviour import read_suite, run_suite
from model_export.calibration import expected_calibration_error, reliability
from model_export.dataset import DataFile, find_data_files, read_texts
from model_export.errors import ModelExportError
from model_export.progress import TokenProgress
from model_export.run import write_whole
from model_export.verify import label_values
from service.engine.bundle import Bundle
from service.engine.logits import Probabilities, softmax
from service.engine.scorer import Scorer

LENGTH_BUCKETS = (0, 8, 16, 32, 64, 128, 256, 512, 1024)
RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Scored:
    """Texts of one file: ``probabilities`` (texts, labels), ``labels`` and token ``lengths``.

    ``processor_seconds`` is what they cost on one core in batches of at most 16 similar lengths.
    """

    probabilities: Probabilities
    labels: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    processor_seconds: float

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.probabilities.argmax(1) == self.labels)


def evaluate(
    directory: Path,
    data: Path,
    backend_name: str,
    behaviour: Path | None,
    output: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Print accuracy per dev file and return all numbers, written to ``output`` as JSON too.

    ``behaviour`` is a suite of cases whose pass rates are added.

    Raises:
        ModelExportError: there are no dev files, or a bad row or suite.
        BundleError, BackendError: the bundle cannot be used.
    """
    bundle = Bundle(directory)
    scorer = Scorer(bundle, backend_name)
    files = [file for file in find_data_files(data) if file.split == "dev"]
    if not files:
        raise ModelExportError(f"{data}: holds no dev*.jsonl or dev*.jsonl.gz to evaluate on")
    scored = {file.name: score(file, bundle, scorer, console) for file in files}
    report: dict[str, Any] = {
        "bundle": {"name": bundle.manifest.name, "version": bundle.manifest.version},
        "digest": bundle.digest,
        "backend": backend_name,
        "labels": bundle.manifest.labels,
        "files": {name: numbers(part, bundle) for name, part in scored.items()},
        "together": numbers(join(list(scored.values())), bundle),
        "macro_accuracy": float(np.mean([part.correct.mean() for part in scored.values()])),
    }
    if behaviour is not None:
        with console.status("behavioural cases"):
            rates = run_suite(read_suite(behaviour), bundle.manifest.labels, scorer.probabilities)
        report["behaviour"] = [asdict(rate) for rate in rates]
    if output is not None:
        text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, lambda path: path.write_text(text, encoding="utf-8"))
    print_report(report, console)
    return report


def score(file: DataFile, bundle: Bundle, scorer: Scorer, console: Console) -> Scored:
    found = read_texts(file, label_values(bundle))
    texts = scorer.encode(found.texts)
    lengths = np.array([len(text) for text in texts])
    with TokenProgress(console, file.name, int(lengths.sum())) as progress:
        began = time.process_time()
        logits = scorer.logits_of_tokens(texts, progress.advance)
        seconds = time.process_time() - began
    return Scored(softmax(logits), np.array(found.labels), lengths, seconds)


def join(parts: list[Scored]) -> Scored:
    return Scored(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.lengths for part in parts]),
        sum(part.processor_seconds for part in parts),
    )


def numbers(scored: Scored, bundle: Bundle) -> dict[str, Any]:
    bins = reliability(torch.from_numpy(scored.probabilities), torch.from_numpy(scored.labels))
    size = len(bundle.manifest.labels)
    confusion = np.zeros((size, size), np.int64)  # (label, answer)
    np.add.at(confusion, (scored.labels, scored.probabilities.argmax(1)), 1)
    edges = [*LENGTH_BUCKETS, np.inf]
    buckets = []
    for low, high in pairwise(edges):
        inside = (scored.lengths > low) & (scored.lengths <= high)
        if inside.any():
            buckets.append(
                {
                    "more_than_tokens": low,
                    "texts": int(inside.sum()),
                    "accuracy": float(scored.correct[inside].mean()),
                    "interval": bootstrap_interval(scored.correct[inside]),
                }
            )
    return {
        "texts": len(scored.labels),
        "tokens": int(scored.lengths.sum()),
        "processor_microseconds_per_token": scored.processor_seconds / scored.lengths.sum() * 1e6,
        "accuracy": float(scored.correct.mean()),
        "interval": bootstrap_interval(scored.correct),
        "expected_calibration_error": expected_calibration_error(bins),
        "reliability": [asdict(found) for found in bins],
        "confusion": confusion.tolist(),
        "length_buckets": buckets,
    }


def bootstrap_interval(correct: npt.NDArray[np.bool_]) -> list[float]:
    """Percentile interval of the accuracy that holds 95 % of resamples (Efron 1979)."""
    draw = np.random.default_rng(0)
    # The sum of a resample of zeros and ones is binomial: no need to draw the texts themselves.
    sums = draw.binomial(len(correct), float(correct.mean()), RESAMPLES) / len(correct)
    tail = (1 - CONFIDENCE) / 2
    return [float(np.quantile(sums, tail)), float(np.quantile(sums, 1 - tail))]


def print_report(report: dict[str, Any], console: Console) -> None:
    table = Table("dev file", "texts", "accuracy", "95 % interval", "calibration error")
    for name, found in [*report["files"].items(), ("together", report["together"])]:
        low, high = found["interval"]
        table.add_row(
            name,
            f"{found['texts']:,}",
            f"{found['accuracy']:.2%}",
            f"{low:.1%} – {high:.1%}",
            f"{found['expected_calibration_error']:.2%}",
        )
    console.print(table)
    console.print(f"macro average over files: {report['macro_accuracy']:.2%}")
    if "behaviour" in report:
        table = Table("capability", "kind", "cases", "passed")
        for rate in report["behaviour"]:
            share = rate["passed"] / rate["cases"]
            table.add_row(rate["capability"], rate["kind"], str(rate["cases"]), f"{share:.0%}")
        console.print(table)
