"""The pictures of ``docs/from-math-to-machine.md``, drawn from the reference and the bundle."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from model_export.reference import pack
from service.engine.bundle import Bundle
from textbook.gate_trace import GateTrace, trace_gates

DIRECTORY = Path("docs/pictures")
# A mixed batch as a busy server cuts it without sorting: a few reviews among sentences.
LENGTHS = [9, 24, 6, 14, 31, 8, 11, 19, 5, 27, 12, 7, 16, 10, 22, 13]


def save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, facecolor="white", bbox_inches="tight")


def draw_packing(path: Path, lengths: Sequence[int] = LENGTHS) -> None:
    """A padded batch beside the same batch packed, one colour for each text."""
    packed = pack([np.full((length, 1), float(place)) for place, length in enumerate(lengths)])
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.05, 0.95, len(lengths)))
    steps = np.arange(max(lengths))
    for row, length in enumerate(lengths):
        left.bar(steps[:length], 0.86, bottom=row, width=0.86, color=colours[row])
        left.bar(steps[length:], 0.86, bottom=row, width=0.86, color="#f3e3e0", edgecolor="#d9a79f")
    left.set_title(
        f"padded: {len(lengths)} × {max(lengths)} = {len(lengths) * max(lengths)} positions"
        f" for {sum(lengths)} tokens"
    )
    left.set_xlabel("time step")
    left.set_ylabel("text")
    for row, place in enumerate(packed.order):
        right.bar(steps[: lengths[place]], 0.86, bottom=row, width=0.86, color=colours[place])
    for step, size in enumerate(packed.batch_sizes):
        right.text(step, size + 0.15, str(size), ha="center", va="top", fontsize=6.5)
    right.set_title(f"packed: {len(packed.data)} rows, stored column by column")
    right.set_xlabel("time step (number: batch size, the texts still running)")
    left.set_yticks([])
    left.invert_yaxis()
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


SENTENCE = "I expected nothing, but this small film is not bad at all: it is wonderful."
GATE_LABELS = {
    "i": "input gate i",
    "f": "forget gate f",
    "g": "candidate g",
    "o": "output gate o",
    "c": "memory, tanh(c)",
    "h": "shown, h",
}


def draw_gates(path: Path, trace: GateTrace) -> None:
    """What the classifier would answer after each token, and what each unit's gates did there."""
    figure = Figure(figsize=(11, 11), layout="constrained")
    mosaic = figure.subplot_mosaic(
        [["answer", "answer"], ["i", "f"], ["g", "o"], ["c", "h"]], height_ratios=[0.7, 1, 1, 1]
    )
    ticks = range(len(trace.tokens))
    for label, share in zip(trace.labels, trace.probabilities.T, strict=True):
        mosaic["answer"].plot(ticks, share, "o-", label=label)
    mosaic["answer"].set_ylim(0, 1)
    mosaic["answer"].set_title("probability if the text ended here", loc="left")
    mosaic["answer"].set_xticks(ticks, trace.tokens, rotation=45, ha="right")
    mosaic["answer"].grid(alpha=0.3)
    mosaic["answer"].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
    for name, label in GATE_LABELS.items():
        axes, signed = mosaic[name], name in "gch"
        values = np.tanh(trace.gates[name]) if name == "c" else trace.gates[name]
        image = axes.imshow(
            values.T,
            aspect="auto",
            cmap="RdBu" if signed else "viridis",
            vmin=-1 if signed else 0,
            vmax=1,
            interpolation="nearest",
        )
        axes.set_title(label)
        axes.set_xticks(ticks, trace.tokens, rotation=60, ha="right", fontsize=8)
        axes.set_yticks([])
        axes.set_ylabel(f"{values.shape[1]} units")
        figure.colorbar(image, ax=axes, pad=0.01)
    save(figure, path)


def draw_pictures(bundle: Bundle) -> None:
    """Draw what the page shows, the gates with the bundle's own weights."""
    draw_packing(DIRECTORY / "packing.png")
    draw_gates(DIRECTORY / "gates.png", trace_gates(bundle, SENTENCE))
