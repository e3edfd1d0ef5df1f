"""The pictures of ``docs/from-math-to-machine.md``, drawn from the reference and the bundle."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from model_export.reference import Array, pack

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


def draw_gates(path: Path, tokens: Sequence[str], gates: Mapping[str, Array], title: str) -> None:
    """What each gate of each unit did at each token.

    ``gates`` holds (time, units) for each name, sigmoids within 0 to 1 and the rest within -1 to 1.
    """
    names = {
        "i": "input gate i",
        "f": "forget gate f",
        "g": "candidate g",
        "o": "output gate o",
        "c": "memory tanh(c)",
        "h": "shown h",
    }
    figure = Figure(figsize=(10, 8), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(3, 2, sharex=True, sharey=True)
    for axes, (name, label) in zip(panels.flat, names.items(), strict=True):
        signed = name in "gch"
        image = axes.imshow(
            gates[name].T,
            aspect="auto",
            cmap="RdBu" if signed else "viridis",
            vmin=-1 if signed else 0,
            vmax=1,
            interpolation="nearest",
        )
        axes.set_title(label, fontsize=10)
        axes.set_xticks(range(len(tokens)), tokens, rotation=60, ha="right", fontsize=8)
        axes.set_yticks([])
        figure.colorbar(image, ax=axes, pad=0.01)
    for axes in panels[:, 0]:
        axes.set_ylabel(f"{gates['h'].shape[1]} units")
    save(figure, path)
