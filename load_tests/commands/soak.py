"""Full load for minutes: whether memory grows in any process, or an answer is wrong or lost."""

import argparse

from load_tests.commands.options import add_bundle_options, add_output_option, own_service
from load_tests.memory import growth, resident_bytes
from load_tests.probe import FULL_LOAD_CLIENTS, Prober
from load_tests.progress import say
from load_tests.reference_answers import ReferenceAnswers
from load_tests.results import begin_results, write_results
from load_tests.texts import generate

SLICE_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle_options(parser)
    add_output_option(parser, "soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--settle-minutes", type=float, default=1.0, help="before memory counts")
    parser.add_argument("--growth-percent", type=float, default=2.0, help="allowed per process")


def run(arguments: argparse.Namespace) -> int:
    results = begin_results()
    answers = ReferenceAnswers(arguments.bundle, arguments.precision)
    elapsed_seconds, problems = 0.0, []
    settled: dict[int, int] = {}
    slices = []
    with own_service(arguments) as service:
        prober = Prober(service, generate("mixed"), answers)
        while elapsed_seconds < arguments.minutes * 60:
            seconds = min(SLICE_SECONDS, arguments.minutes * 60 - elapsed_seconds)
            probe = prober.closed(FULL_LOAD_CLIENTS, seconds)
            elapsed_seconds += seconds
            memory = resident_bytes(service)
            if not settled and elapsed_seconds >= arguments.settle_minutes * 60:
                settled = memory
            problems += probe.disagreements
            for count, what in ((probe.lost, "lost"), (probe.wrong, "answered wrongly")):
                if count:
                    problems.append(f"{count} requests were {what}")
            megabytes = " + ".join(f"{size / 2**20:.1f}" for size in memory.values())
            figures = ("answered_per_second", "p99_ms", "refused", "lost", "wrong")
            slices.append({name: getattr(probe, name) for name in figures})
            say(
                f"{elapsed_seconds / 60:5.1f} min  {probe.answered_per_second:,.0f}/s"
                f"  p99 {probe.p99_ms:.0f} ms  {probe.refused} refused  {megabytes} MiB"
            )
        grown = growth(settled, memory)
    for pid, share in grown.items():
        print(f"process {pid}: {settled[pid] / 2**20:.1f} MiB, then {100 * share:+.2f} %")
        if share * 100 > arguments.growth_percent:
            problems.append(f"process {pid} grew by {100 * share:.1f} %")
    if settled.keys() - grown.keys():
        problems.append("a process ended during the run")
    for problem in problems:
        print(problem)
    options = {
        "precision": arguments.precision,
        "minutes": arguments.minutes,
        "clients": FULL_LOAD_CLIENTS,
        "slice_seconds": SLICE_SECONDS,
    }
    found = {"slices": slices, "growth": list(grown.values()), "problems": problems}
    write_results({**results, "options": options, **found}, arguments.output)
    return 1 if problems else 0
