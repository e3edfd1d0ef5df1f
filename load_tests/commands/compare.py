"""Compare two revisions of the service, interleaved; exit with 1 if the second is surely slower."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from load_tests.commands.options import add_bundle_options, own_service
from load_tests.probe import Prober
from load_tests.progress import say
from load_tests.ratio import Ratio, bootstrap_ratio
from load_tests.revision import checked_out, name_of
from load_tests.texts import LoadText, Mix, generate

LOADS: tuple[tuple[str, Mix, int], ...] = (
    ("short, 1 client", "short", 1),
    ("short, 64 clients", "short", 64),
    ("mixed, 64 clients", "mixed", 64),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", help="a git revision, or . for the working tree")
    parser.add_argument("after", help="a git revision, or . for the working tree")
    add_bundle_options(parser)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument(
        "--at-least",
        type=float,
        default=0.95,
        help="a rate is surely slower when the whole interval of its ratio lies below this",
    )


def run(arguments: argparse.Namespace) -> int:
    revisions = (arguments.before, arguments.after)
    texts = {mix: generate(mix) for _, mix, _ in LOADS}
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in LOADS}
    with ExitStack() as stack:
        names = [name_of(revision) for revision in revisions]
        roots = [stack.enter_context(checked_out(revision)) for revision in revisions]
        for number in range(arguments.rounds):
            rates: list[dict[str, float]] = [{}, {}]
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                rates[side] = _measure(arguments, roots[side], texts)
                told = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in rates[side].items())
                say(f"[{number + 1}/{arguments.rounds}] {names[side]}: {told}")
            for name, found in pairs.items():
                found.append((rates[0][name], rates[1][name]))
    ratios = {name: bootstrap_ratio(found) for name, found in pairs.items()}
    print(f"{names[1]} to {names[0]}, answers per second, ratio with its 95 % interval:")
    slower = [judge(name, ratio, arguments.at_least) for name, ratio in ratios.items()]
    return 1 if any(slower) else 0


def _measure(
    arguments: argparse.Namespace, root: Path, texts: dict[Mix, list[LoadText]]
) -> dict[str, float]:
    rates = {}
    with own_service(arguments, root) as service:
        for name, mix, clients in LOADS:
            prober = Prober(service, texts[mix], answers=None)
            prober.closed(clients, min(1.5, arguments.seconds))  # warms up
            rates[name] = prober.closed(clients, arguments.seconds).answered_per_second
    return rates


def judge(name: str, ratio: Ratio, at_least: float) -> bool:
    """Print the verdict and return whether the rate is surely slower."""
    slower = ratio.high < at_least
    if slower:
        verdict = f"slower: even the upper end is below {at_least:g}"
    elif ratio.low < at_least:
        verdict = "not shown to be slower; more rounds would narrow the interval"
    else:
        verdict = "not slower"
    print(f"{name:<18} {ratio}  {verdict}")
    return slower
