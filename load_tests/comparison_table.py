"""The Markdown of a comparison, made from its results file and nothing else."""

from collections.abc import Sequence
from statistics import median

from load_tests.markdown import markdown_table
from load_tests.results import Results, measured_on
from load_tests.server import OURS


class Rounds:
    """The figures of a results file, by round, so that ratios are taken within rounds."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self.frameworks: dict[str, str] = {
            server["name"]: server["framework"] for server in results["servers"]
        }

    def values(
        self, precision: str, server: str, mix: str, clients: int, figure: str
    ) -> dict[int, float]:
        """A figure by round; a round in which any request broke off does not count."""
        return {
            row["round"]: row[figure]
            for row in self._results["measurements"]
            if (row["precision"], row["server"]) == (precision, server)
            and (row.get("mix"), row.get("clients")) == (mix, clients)
            and row.get(figure) is not None
        }

    def ceiling(self, precision: str, mix: str, processes: int) -> dict[int, float]:
        return {
            row["round"]: row["texts_per_second"]
            for row in self._results["ceilings"]
            if (row["precision"], row["mix"], row["processes"]) == (precision, mix, processes)
        }

    def bare_call_ms(self, precision: str) -> dict[int, float]:
        return {
            row["round"]: row["total_ms"]
            for row in self._results["bare_calls"]
            if row["precision"] == precision
        }

    def best_of(
        self, precision: str, frameworks: Sequence[str], load: tuple[str, int], figure: str
    ) -> str | None:
        """The server with the best median: the highest rate or the lowest latency."""
        medians = {
            name: median(values.values())
            for name, framework in self.frameworks.items()
            if framework in frameworks and (values := self.values(precision, name, *load, figure))
        }
        if not medians:
            return None
        best = max if figure.endswith("_per_second") else min
        return best(medians, key=medians.__getitem__)


def ratios(above: dict[int, float], below: dict[int, float]) -> list[float]:
    """One for each round that both have."""
    return [above[number] / below[number] for number in above if below.get(number)]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """``median (lowest–highest)``."""
    if not values:
        return "–"
    middle = f"{median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


# Title, mix, clients, figure and digits.
COLUMNS = (
    ("short p50, ms, 1 client", "short", 1, "p50_ms", 2),
    ("short/s, 64 clients", "short", 64, "requests_per_second", 0),
    ("mixed/s, 64 clients", "mixed", 64, "requests_per_second", 0),
    ("p99 of the short ones in mixed, ms", "mixed", 64, "short_p99_ms", 0),
)


def comparison_summary(results: Results) -> str:
    """The table of fp32, or of the only precision that was measured."""
    precision = min(row["precision"] for row in results["bare_calls"])
    return f"{_table(results, Rounds(results), precision)}\n\n{_how(results)}"


def comparison_table(results: Results) -> str:
    """A table for each precision, the ratios, each server's configuration, and the machine."""
    rounds = Rounds(results)
    precisions = sorted({row["precision"] for row in results["bare_calls"]})
    parts = [_table(results, rounds, precision) for precision in precisions]
    return "\n\n".join([*parts, _ratios(rounds, precisions, results), _configurations(results)])


def _table(results: Results, rounds: Rounds, precision: str) -> str:
    rows = []
    for server in results["servers"]:
        name = server["name"]
        if "missing" in server:
            continue
        cells = [f"**{name}**" if name == OURS else name]
        for _, mix, clients, figure, digits in COLUMNS:
            values = rounds.values(precision, name, mix, clients, figure)
            cells.append(spread(list(values.values()), digits))
        rows.append([*cells, _refused(results, precision, name)])
    cores = results["machine"]["cores"]
    bare_rates = [
        spread(list(rounds.ceiling(precision, mix, cores).values())) for mix in ("short", "mixed")
    ]
    bare_ms = spread(list(rounds.bare_call_ms(precision).values()), 2)
    rows.append([f"bare ONNX Runtime, {cores} processes", bare_ms, *bare_rates, "–", "–"])
    return markdown_table([precision, *(column[0] for column in COLUMNS), "refused, %"], rows)


def _refused(results: Results, precision: str, name: str) -> str:
    """Share of all requests that were refused or broken; the rates leave them out."""
    failed = good = 0.0
    for row in results["measurements"]:
        if (row["precision"], row["server"]) == (precision, name) and "failure" not in row:
            failed += row["refused"] + row["broken"]
            good += row["requests_per_second"] * results["options"]["seconds"]
    failures = sum(
        "failure" in row and (row["precision"], row["server"]) == (precision, name)
        for row in results["measurements"]
    )
    share = f"{100 * failed / (failed + good):.1f}" if failed + good else "–"
    return f"{share}; failed in {failures} rounds" if failures else share


def _ratios(rounds: Rounds, precisions: Sequence[str], results: Results) -> str:
    baselines = [
        name for name in dict.fromkeys(rounds.frameworks.values()) if name not in (OURS, "echo")
    ]
    compared = [(name, [name]) for name in baselines]
    if len(baselines) > 1:
        compared.append(("the best of all baselines", baselines))
    rows = [
        [
            f"{title}: service to {word}",
            *(_ratio_to_best(rounds, p, frameworks, (mix, clients), figure) for p in precisions),
        ]
        for title, mix, clients, figure in (
            ("short/s, 64 clients", "short", 64, "requests_per_second"),
            ("mixed/s, 64 clients", "mixed", 64, "requests_per_second"),
            ("short p50, 1 client, theirs ÷ ours", "short", 1, "p50_ms"),
        )
        for word, frameworks in compared
    ]
    rows.append(
        [
            "mixed/s, 64 clients: service to bare ONNX Runtime on the cores that the load"
            " generator leaves free",
            *(_of_ceiling(rounds, p, results) for p in precisions),
        ]
    )
    rows.append(
        [
            "1 client, short: p50 beyond tokenising and the bare call, to the p50 of echo",
            *(_overhead(rounds, p) for p in precisions),
        ]
    )
    return markdown_table(["ratio", *precisions], rows)


def _ratio_to_best(
    rounds: Rounds, precision: str, frameworks: Sequence[str], load: tuple[str, int], figure: str
) -> str:
    best = rounds.best_of(precision, frameworks, load, figure)
    if best is None:
        return "–"
    ours = rounds.values(precision, OURS, *load, figure)
    theirs = rounds.values(precision, best, *load, figure)
    pair = (theirs, ours) if figure == "p50_ms" else (ours, theirs)
    return f"{spread(ratios(*pair), 2)} {best}"


def _of_ceiling(rounds: Rounds, precision: str, results: Results) -> str:
    cores = results["machine"]["cores"]
    load = ("mixed", 64)
    ours = rounds.values(precision, OURS, *load, "requests_per_second")
    used = rounds.values(precision, OURS, *load, "generator_cores")
    left = {
        number: rate * (cores - used.get(number, 0.0)) / cores
        for number, rate in rounds.ceiling(precision, "mixed", cores).items()
    }
    return spread(ratios(ours, left), 2)


def _overhead(rounds: Rounds, precision: str) -> str:
    bare_ms = rounds.bare_call_ms(precision)
    ours = rounds.values(precision, OURS, "short", 1, "p50_ms")
    above = {number: p50_ms - bare_ms[number] for number, p50_ms in ours.items()}
    return spread(ratios(above, rounds.values(precision, "echo", "short", 1, "p50_ms")), 2)


def _configurations(results: Results) -> str:
    lines = []
    for server in results["servers"]:
        if "missing" in server:
            lines.append(f"- {server['name']}: left out: {server['missing']}")
        else:
            version = f"{server['framework']}, {server['version']}"
            lines.append(f"- {server['name']} ({version}): {server['configuration']}")
    return "\n".join([*lines, "", _how(results)])


def _how(results: Results) -> str:
    options = results["options"]
    return (
        f"Medians of {options['rounds']} interleaved rounds of {options['seconds']:g} s with"
        " (lowest–highest). The p50 of bare ONNX Runtime is one text tokenised and run alone."
        f" Refused and broken requests never count as throughput. {measured_on(results)}"
    )
