"""The Markdown of every measurement but the comparison, each from its results file alone."""

from collections.abc import Sequence
from statistics import median

from load_tests.results import Results, measured_on


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, all others to the right."""
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ruler, *rows))


def capacity_table(results: Results) -> str:
    """One row per set-up; latencies at four fifths of the highest rate that meets the objective."""
    rows = []
    for found in results["capacities"]:
        quiet = found["curve"][3]
        rows.append(
            [
                found["name"],
                f"{found['closed']['answered_per_second']:,.0f}",
                f"{found['highest_per_second']:,.0f}",
                f"{quiet['p50_ms']:.1f}",
                f"{quiet['p99_ms']:.1f}",
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
    return f"{markdown_table(header, rows)}\n\n{measured_on(results)}"


def overload_table(results: Results) -> str:
    options = results["options"]
    rows = [
        ["peak, closed loop, answers/s", f"{results['peak_per_second']:,.0f}"],
        ["offered, requests/s", f"{results['offered_per_second']:,.0f}"],
        ["answered in time, answers/s", f"{results['answered_in_time_per_second']:,.0f}"],
        ["of the peak", f"{100 * results['answered_in_time_to_peak']:.0f} %"],
        ["refused", f"{results['refused']:,}"],
        ["p99 of a refusal in the service, ms", _number(results["refusal_p99_ms_in_service"], 2)],
        ["lost", f"{results['lost']:,}"],
        ["not sent, for want of connections", f"{results['unsent']:,}"],
        ["largest growth of a process's memory", f"{100 * results['largest_memory_growth']:.1f} %"],
    ]
    header = [
        f"{options['times']:g} times the peak for {options['seconds']:g} s, deadline"
        f" {options['timeout_ms']} ms",
        options["precision"],
    ]
    return f"{markdown_table(header, rows)}\n\n{measured_on(results)}"


def company_table(results: Results) -> str:
    pairs = results["p99_ms_in_company_and_alone"]
    among, alone = ([pair[side] for pair in pairs] for side in (0, 1))
    ratios = [one / other for one, other in zip(among, alone, strict=True)]
    rows = [
        [name, f"{median(values):.{digits}f}", f"{min(values):.{digits}f}–{max(values):.{digits}f}"]
        for name, values, digits in (
            ("among reviews, ms", among, 1),
            ("alone, the same tokens per second, ms", alone, 1),
            ("ratio", ratios, 2),
        )
    ]
    rate = f"{results['tokens_per_second']:,.0f} tokens/s"
    header = [f"p99 of short texts, {results['options']['precision']}, {rate}", "median", "rounds"]
    return f"{markdown_table(header, rows)}\n\n{measured_on(results)}"


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
    how = f"Rates and latencies are medians of slices of {options['slice_seconds']:g} s."
    return f"{markdown_table(header, rows)}\n\n{how} {measured_on(results)}"


def idle_table(results: Results) -> str:
    rows = [["used while nobody asks", f"{results['core_percent']:.2f} % of a core"]]
    header = [f"idle, {results['options']['seconds']:g} s", results["options"]["precision"]]
    return f"{markdown_table(header, rows)}\n\n{measured_on(results)}"


def metrics_cost_table(results: Results) -> str:
    rows = [
        ["requests/s with metrics", f"{results['requests_per_second_with']:,}"],
        ["requests/s without", f"{results['requests_per_second_without']:,}"],
        ["cost", f"{100 * results['cost_ratio']:.1f} %"],
    ]
    header = ["one short text at a time", f"{results['options']['clients']} clients"]
    return f"{markdown_table(header, rows)}\n\n{measured_on(results)}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
