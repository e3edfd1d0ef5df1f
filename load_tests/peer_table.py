"""The Markdown of a comparison, made from its results file and nothing else."""

from collections.abc import Sequence
from statistics import median

from load_tests.peer import OURS
from load_tests.results import Results, measured_on


class Rounds:
    """The figures of a results file, by round, so that ratios are taken within rounds."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self.frameworks: dict[str, str] = {
            peer["name"]: peer["framework"] for peer in results["peers"]
        }

    def values(
        self, precision: str, peer: str, mix: str, clients: int, figure: str
    ) -> dict[int, float]:
        """A figure by round; a round in which any request broke off does not count."""
        return {
            row["round"]: row[figure]
            for row in self._results["measurements"]
            if (row["precision"], row["peer"]) == (precision, peer)
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
        """The peer with the best median: the highest rate or the lowest latency."""
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
    """By round, for the rounds that both have."""
    return [above[number] / below[number] for number in above if below.get(number)]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """``median (lowest–highest)``."""
    if not values:
        return "–"
    middle = f"{median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


COLUMNS = (
    ("short p50, ms, 1 client", "short", 1, "p50_ms", 2),
    ("short/s, 64 clients", "short", 64, "requests_per_second", 0),
    ("mixed/s, 64 clients", "mixed", 64, "requests_per_second", 0),
    ("p99 of the short ones in mixed, ms", "mixed", 64, "short_p99_ms", 0),
    ("refused, %", "", 0, "", 1),
)


def peer_summary(results: Results) -> str:
    """The table of the precision that is the default, or the only one."""
    precision = min(row["precision"] for row in results["bare_calls"])
    return f"{_table(results, Rounds(results), precision)}\n\n{_how(results)}"


def peer_table(results: Results) -> str:
    """Tables by precision, what each peer was, and the machine."""
    rounds = Rounds(results)
    precisions = sorted({row["precision"] for row in results["bare_calls"]})
    parts = [_table(results, rounds, precision) for precision in precisions]
    return "\n\n".join([*parts, _ratios(rounds, precisions, results), _configurations(results)])


def _table(results: Results, rounds: Rounds, precision: str) -> str:
    header = [f"{precision}", *(column[0] for column in COLUMNS)]
    lines = [header, ["---", *["---:"] * len(COLUMNS)]]
    for peer in results["peers"]:
        name = peer["name"]
        if "missing" in peer:
            continue
        cells = [f"**{name}**" if name == OURS else name]
        for _, mix, clients, figure, digits in COLUMNS[:-1]:
            values = rounds.values(precision, name, mix, clients, figure)
            cells.append(spread(list(values.values()), digits))
        lines.append([*cells, _refused(results, precision, name)])
    cores = results["machine"]["cores"]
    cells = [f"bare ONNX Runtime, {cores} processes"]
    bare_ms = list(rounds.bare_call_ms(precision).values())
    cells.append(spread(bare_ms, 2))
    cells += [
        spread(list(rounds.ceiling(precision, mix, cores).values())) for mix in ("short", "mixed")
    ]
    lines.append([*cells, "–", "–"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _refused(results: Results, precision: str, name: str) -> str:
    """Share of requests that were refused or broke off, over all loads; they never count above."""
    failed = good = 0.0
    for row in results["measurements"]:
        if (row["precision"], row["peer"]) == (precision, name) and "failure" not in row:
            failed += row["refused"] + row["broken"]
            good += row["requests_per_second"] * results["options"]["seconds"]
    failures = sum(
        "failure" in row and (row["precision"], row["peer"]) == (precision, name)
        for row in results["measurements"]
    )
    share = f"{100 * failed / (failed + good):.1f}" if failed + good else "–"
    return f"{share}; failed in {failures} rounds" if failures else share


def _ratios(rounds: Rounds, precisions: Sequence[str], results: Results) -> str:
    lines = [["ratio", *precisions], ["---", *["---:"] * len(precisions)]]
    others = [
        name for name in dict.fromkeys(rounds.frameworks.values()) if name not in (OURS, "echo")
    ]
    for title, mix, clients, figure in (
        ("short/s, 64 clients", "short", 64, "requests_per_second"),
        ("mixed/s, 64 clients", "mixed", 64, "requests_per_second"),
        ("short p50, 1 client, its ÷ ours", "short", 1, "p50_ms"),
    ):
        for against in [*([name] for name in others), *([others] if len(others) > 1 else [])]:
            word = against[0] if len(against) == 1 else "the best of all peers"
            cells = []
            for precision in precisions:
                best = rounds.best_of(precision, against, (mix, clients), figure)
                if best is None:
                    cells.append("–")
                    continue
                ours = rounds.values(precision, OURS, mix, clients, figure)
                theirs = rounds.values(precision, best, mix, clients, figure)
                pair = (theirs, ours) if figure == "p50_ms" else (ours, theirs)
                cells.append(f"{spread(ratios(*pair), 2)} {best}")
            lines.append([f"{title}: service to {word}", *cells])
    lines.append(
        [
            "mixed/s, 64 clients: service to what bare ONNX Runtime does on the cores that"
            " the load generator leaves",
            *(_of_ceiling(rounds, p, results) for p in precisions),
        ]
    )
    lines.append(
        [
            "1 client, short: p50 above tokenising and the bare call, to the p50 of echo",
            *(_overhead(rounds, p) for p in precisions),
        ]
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
    for peer in results["peers"]:
        if "missing" in peer:
            lines.append(f"- {peer['name']}: left out: {peer['missing']}")
        else:
            version = f"{peer['framework']}, {peer['version']}"
            lines.append(f"- {peer['name']} ({version}): {peer['configuration']}")
    return "\n".join([*lines, "", _how(results)])


def _how(results: Results) -> str:
    options = results["options"]
    return (
        f"Medians of {options['rounds']} interleaved rounds of {options['seconds']:g} s with"
        " (lowest–highest). The p50 of bare ONNX Runtime is one text tokenised and run alone."
        f" Refused and broken requests never count as throughput. {measured_on(results)}"
    )
