"""``python -m textbook speed``: every way of computing the same answers, and the time it takes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from threadpoolctl import threadpool_limits

from service.engine.bundle import Bundle
from textbook.machine import Machine
from textbook.roofline import floor_seconds
from textbook.speed import LOADS, PACKED, Timing, time_ways


def report_speed(directory: Path, console: Console, budget_seconds: float = 0.5) -> None:
    """Time the bundle on one core and print Markdown tables.

    ``budget_seconds`` is spent on each way and load, about ten seconds in all at 0.5.

    Raises:
        BundleError, BackendError: a form of the model does not load.
        ModelExportError: a way gives other answers than the equations.
    """
    bundle = Bundle(directory)
    with one_core(console) as progress:
        timings = time_ways(bundle, budget_seconds, progress)
    for load in LOADS:
        console.print(speed_table(timings, load))


@contextmanager
def one_core(console: Console) -> Iterator[Progress]:
    """Where all that is timed runs on one thread, with a place to show how far it is."""
    torch.set_num_threads(1)
    with threadpool_limits(1), Progress(console=console, transient=True) as progress:
        yield progress


def speed_table(timings: Sequence[Timing], load: str, machine: Machine | None = None) -> Table:
    """With ``machine`` also how far each way is from its floor."""
    floors = ["× floor"] if machine else []
    table = markdown_table(load.capitalize(), "µs/token", "× packed", *floors)
    shown = [timing for timing in timings if timing.load == load]
    (packed,) = (timing.seconds for timing in shown if timing.way == PACKED)
    for timing in shown:
        row = [
            timing.way,
            f"{1e6 * timing.seconds / timing.work.tokens:,.1f}",
            f"{timing.seconds / packed:,.2f}",
        ]
        if machine:
            row.append(f"{timing.seconds / floor_seconds(machine, timing.work):,.1f}")
        table.add_row(*row)
    return table


def markdown_table(*columns: str) -> Table:
    table = Table(box=box.MARKDOWN)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=True)
    return table
