"""The Markdown of every measurement but the comparison, each from its results file alone."""

from collections.abc import Sequence
from statistics import median

from load_tests.markdown import markdown_table
from load_tests.results import Results, measured_on


def capacity_table(results: Results) -> str:
    """One row per configuration; latencies at four fifths of the highest rate it sustains."""
    rows = []
    for found in results["capacities"]:
        at_80_percent = found["curve"][3]
        rows.append(
            [
                found["name"],
                f"{found['closed']['answered_per_second']:,.0f}",
                f"{found['highest_per_second']:,.0f}",
                f"{at_80_percent['p50_ms']:.1f}",
                f"{at_80_percent['p99_ms']:.1f}",
            ]
        )
    limit, mix = results["capacities"][0]["limit"], results["capacities"][0]["mix"]
    header = [
        f"{mix} texts",
        "closed loop, answers/s",
        f"highest rate with {limit}",
        "p50 at 80 % of it, ms",
        "p99 there, ms",
    ]
    return _measured(results, header, rows)


def overload_table(results: Results) -> str:
    options = results["options"]
    refusal_p99_ms = results["refusal_p99_ms_in_service"]
    rows = [
        ["peak, closed loop, answers/s", f"{results['peak_per_second']:,.0f}"],
        ["offered, requests/s", f"{results['offered_per_second']:,.0f}"],
        ["answered in time, answers/s", f"{results['answered_in_time_per_second']:,.0f}"],
        ["of the peak", f"{100 * results['answered_in_time_to_peak']:.0f} %"],
        ["refused", f"{results['refused']:,}"],
        [
            "p99 of a refusal in the service, ms",
            "–" if refusal_p99_ms is None else f"{refusal_p99_ms:.2f}",
        ],
        ["lost", f"{results['lost']:,}"],
        ["not sent, because no connection was free", f"{results['unsent']:,}"],
        ["largest growth of a process's memory", f"{100 * results['largest_memory_growth']:.1f} %"],
    ]
    header = [
        f"{options['times']:g} times the peak for {options['seconds']:g} s, deadline"
        f" {options['timeout_ms']} ms",
        options["precision"],
    ]
    return _measured(results, header, rows)


def interference_table(results: Results) -> str:
    mixed, alone = zip(*results["short_p99_ms_mixed_and_alone"], strict=True)
    ratios = [one / other for one, other in zip(mixed, alone, strict=True)]
    rows = [
        [name, f"{median(values):.{digits}f}", f"{min(values):.{digits}f}–{max(values):.{digits}f}"]
        for name, values, digits in (
            ("among reviews, ms", mixed, 1),
            ("alone, at the same tokens per second, ms", alone, 1),
            ("ratio", ratios, 2),
        )
    ]
    rate = f"{results['tokens_per_second']:,.0f} tokens/s"
    header = [f"p99 of short texts, {results['options']['precision']}, {rate}", "median", "rounds"]
    return _measured(results, header, rows)


def soak_table(results: Results) -> str:
    slices = results["slices"]
    growth = ", ".join(f"{100 * share:+.2f} %" for share in results["growth"])
    counts = ", ".join(
        f"{sum(part[name] for part in slices):,} {name}" for name in ("refused", "lost", "wrong")
    )
    rows = [
        ["answers/s", f"{median(part['answered_per_second'] for part in slices):,.0f}"],
        ["p99, ms", f"{median(part['p99_ms'] for part in slices):.0f}"],
        ["requests", counts],
        ["memory of each process since it settled", growth],
    ]
    options = results["options"]
    header = [
        f"{options['minutes']:g} minutes, {options['clients']} clients, mixed texts",
        options["precision"],
    ]
    how = f"Rates and latencies are medians of slices of {options['slice_seconds']:g} s. "
    return _measured(results, header, rows, how)


def idle_table(results: Results) -> str:
    rows = [["processor time without requests", f"{results['core_percent']:.2f} % of a core"]]
    header = [f"idle, {results['options']['seconds']:g} s", results["options"]["precision"]]
    return _measured(results, header, rows)


def metrics_cost_table(results: Results) -> str:
    rows = [
        ["requests/s with metrics", f"{results['requests_per_second_with']:,}"],
        ["requests/s without", f"{results['requests_per_second_without']:,}"],
        ["cost", f"{100 * results['cost_ratio']:.1f} %"],
    ]
    header = ["one short text at a time", f"{results['options']['clients']} clients"]
    return _measured(results, header, rows)


def _measured(
    results: Results, header: Sequence[str], rows: Sequence[Sequence[str]], how: str = ""
) -> str:
    return f"{markdown_table(header, rows)}\n\n{how}{measured_on(results)}"
