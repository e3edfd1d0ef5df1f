"""Pictures of the model card."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import pyplot

matplotlib.use("agg")
BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#a0aec0"
DOTS_PER_INCH = 110


def draw_reliability(report: dict[str, Any], path: Path) -> None:
    """Accuracy against confidence over all dev texts together."""
    bins = report["together"]["reliability"]
    confidence = [found["confidence"] for found in bins]
    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(5, 5.5), sharex=True, height_ratios=[3, 1], layout="constrained"
    )
    floor = 1 / len(report["labels"])
    above.plot([floor, 1], [floor, 1], color=GREY, linestyle="--", label="perfectly calibrated")
    above.plot(confidence, [found["accuracy"] for found in bins], "o-", color=BLUE, label="model")
    above.set_ylabel("accuracy")
    above.legend()
    error = report["together"]["expected_calibration_error"]
    above.set_title(f"Reliability (expected calibration error {error:.2%})")
    below.bar(confidence, [found["texts"] for found in bins], width=0.02, color=BLUE)
    below.set_ylabel("texts")
    below.set_xlabel("score of the answer")
    figure.savefig(path, dpi=DOTS_PER_INCH)
    pyplot.close(figure)


def draw_confusion(report: dict[str, Any], path: Path) -> None:
    """One matrix per dev file, rows summing to 100 %."""
    names, labels = list(report["files"]), report["labels"]
    size = 1.2 + 0.7 * len(labels)
    figure, axes = pyplot.subplots(
        1, len(names), figsize=(size * len(names), size + 0.6), layout="constrained", squeeze=False
    )
    for axis, name in zip(axes[0], names, strict=True):
        counts = np.array(report["files"][name]["confusion"])  # (label, answer)
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(shares.shape):
            colour = "white" if shares[row, column] > 0.5 else "black"
            text = f"{shares[row, column]:.1%}\n{counts[row, column]:,}"
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
        axis.set_title(name, fontsize=9)
        axis.set_xticks(range(len(labels)), labels, fontsize=8)
        shown = labels if axis is axes[0][0] else [""] * len(labels)
        axis.set_yticks(range(len(labels)), shown, fontsize=8, rotation=90, va="center")
    axes[0][0].set_ylabel("label")
    figure.supxlabel("answer", fontsize=9)
    figure.savefig(path, dpi=DOTS_PER_INCH)
    pyplot.close(figure)


def draw_learning_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Training loss and dev accuracies by million token steps."""
    tokens = [epoch["tokens"] / 1e6 for epoch in history]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    left.plot(tokens, [epoch["loss"] for epoch in history], "o-", color=ORANGE)
    left.set_ylabel("training loss")
    for name in history[-1]["accuracy"]:
        right.plot(tokens, [100 * epoch["accuracy"][name] for epoch in history], "o-", label=name)
    macro = [100 * epoch["macro_accuracy"] for epoch in history]
    right.plot(tokens, macro, "o--", color="black", label="macro average")
    right.set_ylabel("dev accuracy, %")
    right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    for axis in (left, right):
        axis.set_xlabel("million token steps")
        axis.set_xlim(left=0)
        axis.grid(color=GREY, alpha=0.3)
    figure.savefig(path, dpi=DOTS_PER_INCH)
    pyplot.close(figure)
