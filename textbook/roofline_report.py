"""``python -m textbook roofline``: floors, and how far each way of computing is from them."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from model_export.shape_contract import GATES, ShapeContract, parameter_count
from service.engine.bundle import Bundle
from textbook.machine import MEMORY_BYTES, Machine, measure_machine
from textbook.pictures import save
from textbook.roofline import Work, cold_seconds, floor_seconds
from textbook.speed import LOADS, Timing, time_ways
from textbook.speed_report import markdown_table, one_core, speed_table

HIDDEN_SIZES = (128, 256, 512)
MARKERS = "osD"
DRAWN_BANDWIDTHS = (256 << 10, 4 << 20, MEMORY_BYTES)


def report_roofline(
    directory: Path, picture: Path, console: Console, budget_seconds: float = 0.5
) -> None:
    """Measure this machine and the bundle on one core, print Markdown tables, draw ``picture``.

    ``budget_seconds`` is spent on each measurement, under half a minute at 0.5.

    Raises:
        BundleError, BackendError: a form of the model does not load.
    """
    bundle = Bundle(directory)
    with one_core(console) as progress:
        task = progress.add_task("measuring the machine", total=None)
        machine = measure_machine(budget_seconds)
        progress.remove_task(task)
        timings = time_ways(bundle, budget_seconds, progress)
    console.print(machine_table(machine))
    console.print("Per token, 2 layers in 2 directions, texts of 25 tokens:")
    console.print(floor_table(machine))
    for load in LOADS:
        console.print(speed_table(timings, load, machine))
    work = timings[0].work
    console.print(
        f"Cold: reading the {work.stored_bytes / 1e6:.1f} MB of recurrent weights once from memory"
        f" takes {1e6 * cold_seconds(machine, work):,.0f} µs."
    )
    save(draw_roofline(machine, timings), picture)
    console.print(f"Drawn: {picture}")


def machine_table(machine: Machine) -> Table:
    table = markdown_table("One core of this machine", "at most")
    table.add_row("fp32 arithmetic", f"{machine.fp32_flop_per_second / 1e9:,.0f} GFLOP/s")
    table.add_row("int8 arithmetic", f"{machine.int8_flop_per_second / 1e9:,.0f} GOP/s")
    for size, bandwidth in machine.bandwidths.items():
        table.add_row(bandwidth_label(size), f"{bandwidth / 1e9:,.1f} GB/s")
    return table


def bandwidth_label(size: int) -> str:
    return "reading memory" if size == MEMORY_BYTES else f"reading {size >> 10:,} KiB again"


def floor_table(machine: Machine) -> Table:
    """Work and floors per token, for one text of 25 tokens and for 16 of them."""
    table = markdown_table(
        "fp32", "parameters", "kFLOP", "kB, 1 text", "16 texts", "floor µs, 1", "16 texts"
    )
    for cell, hidden in itertools.product(GATES, HIDDEN_SIZES):
        contract = ShapeContract(cell, hidden, hidden, layers=2)
        works = [Work(contract, [25] * batch) for batch in (1, 16)]
        table.add_row(
            f"{cell}, hidden {hidden}",
            f"{parameter_count(contract):,}",
            f"{works[0].flop / works[0].tokens / 1e3:,.0f}",
            *(f"{work.bytes / work.tokens / 1e3:,.0f}" for work in works),
            *(f"{1e6 * floor_seconds(machine, work) / work.tokens:,.1f}" for work in works),
        )
    return table


def draw_roofline(machine: Machine, timings: Sequence[Timing]) -> Figure:
    """FLOP per second over FLOP per byte: the roofs of this machine, and what stays below them."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots()
    intensities = [timing.work.flop / timing.work.bytes for timing in timings]
    left, right = min(intensities) / 2, max(intensities) * 2
    for size, style in zip(DRAWN_BANDWIDTHS, ("-", "--", ":"), strict=True):
        bandwidth = machine.bandwidths[size]
        ends = [left, min(right, machine.int8_flop_per_second / bandwidth)]
        heights = [bandwidth * x for x in ends]
        axes.plot(ends, heights, style, color="black", label=bandwidth_label(size))
    for label, peak, colour in (
        ("fp32 arithmetic", machine.fp32_flop_per_second, "tab:blue"),
        ("int8 arithmetic", machine.int8_flop_per_second, "tab:red"),
    ):
        axes.axhline(peak, color=colour, linestyle="-.", label=label)
    ways = list(dict.fromkeys(timing.way for timing in timings))
    for timing, intensity in zip(timings, intensities, strict=True):
        axes.scatter(
            intensity,
            timing.work.flop / timing.seconds,
            color=f"C{ways.index(timing.way)}",
            marker=MARKERS[list(LOADS).index(timing.load)],
            s=45,
            zorder=3,
        )
    for place, way in enumerate(ways):
        axes.scatter([], [], color=f"C{place}", label=way)
    for marker, load in zip(MARKERS, LOADS, strict=True):
        axes.scatter([], [], color="grey", marker=marker, label=load)
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(left, right),
        xlabel="FLOP per byte of weights read",
        ylabel="FLOP per second, one core",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    return figure
