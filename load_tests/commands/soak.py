"""Full load for minutes: does the memory of any process grow, is an answer wrong or lost?"""

import argparse
import sys

from load_tests.commands.options import add_bundle_options
from load_tests.memory import growth, resident_bytes
from load_tests.probe import Prober
from load_tests.reference_answers import ReferenceAnswers
from load_tests.service_process import BACKENDS, running_service
from load_tests.texts import generate

TEXTS = 500
CLIENTS = 64
SLICE_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle_options(parser)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--settle-minutes", type=float, default=1.0, help="before memory counts")
    parser.add_argument("--growth-percent", type=float, default=2.0, help="allowed per process")


def run(arguments: argparse.Namespace) -> int:
    settings = {"backend": BACKENDS[arguments.precision]}
    answers = ReferenceAnswers(arguments.bundle, arguments.precision)
    elapsed_seconds, problems = 0.0, []
    settled: dict[int, int] = {}
    with running_service(arguments.bundle, settings) as service:
        prober = Prober(service, generate("mixed", TEXTS), answers)
        while elapsed_seconds < arguments.minutes * 60:
            seconds = min(SLICE_SECONDS, arguments.minutes * 60 - elapsed_seconds)
            probe = prober.closed(CLIENTS, seconds)
            elapsed_seconds += seconds
            memory = resident_bytes(service)
            if not settled and elapsed_seconds >= arguments.settle_minutes * 60:
                settled = memory
            problems += probe.disagreements
            for count, what in ((probe.lost, "lost"), (probe.wrong, "answered wrongly")):
                if count:
                    problems.append(f"{count} requests were {what}")
            megabytes = " + ".join(f"{size / 2**20:.1f}" for size in memory.values())
            print(
                f"{elapsed_seconds / 60:5.1f} min  {probe.answered_per_second:,.0f}/s"
                f"  p99 {probe.p99_ms:.0f} ms  {probe.refused} refused  {megabytes} MiB",
                file=sys.stderr,
                flush=True,
            )
        grown = growth(settled, memory)
    for pid, share in grown.items():
        print(f"process {pid}: {settled[pid] / 2**20:.1f} MiB, then {100 * share:+.2f} %")
        if share * 100 > arguments.growth_percent:
            problems.append(f"process {pid} grew by {100 * share:.1f} %")
    if settled.keys() - grown.keys():
        problems.append("a process ended meanwhile")
    for problem in problems:
        print(problem)
    return 1 if problems else 0
