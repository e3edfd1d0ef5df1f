"""Capacity as a page to look at: one HTML file, its pictures SVG within it."""

import html
import io
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from load_tests.capacity import Capacity
from load_tests.probe import STAGES, Probe

# The same input gives the same file, and text stays text.
matplotlib.rcParams.update(
    {
        "svg.hashsalt": "capacity",
        "svg.fonttype": "none",
        "font.size": 9,
        "font.family": ["DejaVu Sans", "sans-serif"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "legend.frameon": False,
    }
)
RANKS = (
    ("p50_ms", "p50", "#0072b2"),
    ("p90_ms", "p90", "#009e73"),
    ("p99_ms", "p99", "#e69f00"),
    ("p99_9_ms", "p99.9", "#d55e00"),
)
STAGE_COLOURS = dict(zip(STAGES[:-1], ("#56b4e9", "#e69f00", "#999999", "#0072b2"), strict=True))
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto; padding: 0 1rem;
       color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; } figcaption { color: #555; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 1rem; }
svg { width: 100%; height: auto; }
.warning { color: #a33; }
"""


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return file.getvalue().partition("<svg")[1] + file.getvalue().partition("<svg")[2]


def _axes(width: float = 5.6, height: float = 3.6) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def latency_curve(capacity: Capacity) -> str:
    """Latency percentiles against the rate that was answered."""
    figure, axes = _axes()
    curve = [probe for probe in capacity.curve if np.isfinite(probe.p50_ms)]
    rates = [probe.offered_per_second for probe in curve]
    for figure_name, label, colour in RANKS:
        values = [getattr(probe, figure_name) for probe in curve]
        axes.plot(rates, values, marker="o", markersize=3, color=colour, label=label)
    if capacity.highest_per_second:
        axes.axvline(capacity.highest_per_second, color="#222", linestyle=":", linewidth=1)
        label = f"{capacity.highest_per_second:,.0f}/s"
        axes.plot([], [], color="#222", linestyle=":", linewidth=1, label=label)
    axes.set(xlabel="offered, requests per second", ylabel="latency, ms", yscale="log")
    axes.set_xlim(left=0)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.legend(ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _svg(figure)


def stage_bars(capacity: Capacity) -> str:
    """Mean time per stage of ``Server-Timing`` at each rate, and what lies outside the service."""
    figure, axes = _axes()
    curve = [probe for probe in capacity.curve if np.isfinite(probe.p50_ms)]
    labels = [f"{probe.offered_per_second:,.0f}" for probe in curve]
    bottom = np.zeros(len(curve))
    for stage, colour in STAGE_COLOURS.items():
        heights = np.array([probe.stage_mean_ms[stage] for probe in curve])
        axes.bar(labels, heights, bottom=bottom, color=colour, label=stage, width=0.7)
        bottom += heights
    outside = [max(0.0, _mean_ms(probe) - probe.stage_mean_ms["total"]) for probe in curve]
    axes.bar(labels, outside, bottom=bottom, color="#ddd", label="HTTP and client", width=0.7)
    axes.set(xlabel="offered, requests per second", ylabel="mean time, ms")
    axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _svg(figure)


def _mean_ms(probe: Probe) -> float:
    return float(np.mean(probe.latencies_ms)) if probe.latencies_ms else 0.0


def latency_distribution(capacities: Sequence[Capacity]) -> str:
    """Share of requests slower than each latency, at about 60 % of each capacity."""
    figure, axes = _axes(7.6, 3.8)
    for capacity in capacities:
        probe = capacity.curve[2]
        if not probe.latencies_ms:
            continue
        ordered = np.sort(probe.latencies_ms)
        slower = 1 - np.arange(len(ordered)) / len(ordered)
        label = f"{capacity.name}, {probe.offered_per_second:,.0f}/s"
        axes.step(ordered, slower, where="post", label=label, linewidth=1.4)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="latency, ms",
        ylabel="share of requests that took longer",
    )
    axes.legend(fontsize=8)
    return _svg(figure)


def capacity_report(capacities: Sequence[Capacity], machine: dict[str, Any], date: str) -> str:
    """The whole page."""
    rows = "".join(_row(capacity) for capacity in capacities)
    sections = "".join(_section(capacity) for capacity in capacities)
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Capacity</title><style>{STYLE}</style></head>
<body>
<h1>Capacity</h1>
<p>{html.escape(str(machine["processor"]))}, {machine["cores"]} cores, {machine["memory_gib"]} GiB,
{html.escape(str(machine["system"]))}, Python {machine["python"]}; {html.escape(packages)};
{html.escape(date)}. Load generator and service share the machine. The load average before the
measurement was {machine["load_before"]}.</p>
<p>Open loop, Poisson arrivals; latency counts from the time at which a request was meant to be
sent. Every answer was compared with the engine's own.</p>
<table><tr><th>service</th><th>texts</th><th>closed loop, /s</th><th>highest rate within the
objective, /s</th><th>p50 there, ms</th><th>p99 there, ms</th><th>objective</th></tr>{rows}</table>
<figure>{latency_distribution(capacities)}
<figcaption>How many requests took longer than a latency, at 60 % of each capacity.</figcaption>
</figure>
{sections}
</body></html>
"""


def _row(capacity: Capacity) -> str:
    at_capacity = capacity.curve[5]
    cells = (
        capacity.name,
        capacity.mix,
        f"{capacity.closed.answered_per_second:,.0f}",
        f"{capacity.highest_per_second:,.0f}",
        f"{at_capacity.p50_ms:.2f}",
        f"{at_capacity.p99_ms:.2f}",
        capacity.limit,
    )
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def _section(capacity: Capacity) -> str:
    probes = [capacity.closed, *capacity.curve]
    notes = []
    if any(probe.generator_is_bottleneck for probe in probes):
        notes.append("The load generator was late or busy at some rates: those are upper bounds.")
    wrong = sum(probe.wrong for probe in probes)
    if wrong:
        notes.append(f"{wrong} answers were wrong.")
    notes += sorted({problem for probe in probes for problem in probe.disagreements})
    warnings = "".join(f'<p class="warning">{html.escape(note)}</p>' for note in notes)
    return f"""<h2>{html.escape(capacity.name)}, {html.escape(capacity.mix)} texts</h2>{warnings}
<div class="pair"><figure>{latency_curve(capacity)}
<figcaption>Latency against rate; dotted: the highest rate within the objective.</figcaption>
</figure>
<figure>{stage_bars(capacity)}<figcaption>Where the time goes, by Server-Timing.</figcaption>
</figure></div>
"""
