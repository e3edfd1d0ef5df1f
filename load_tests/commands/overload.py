"""Five times the capacity: what is still answered in time, and how fast the rest is refused."""

import argparse
import json

from load_tests.commands.options import add_bundle_options, add_output_option, own_service
from load_tests.memory import growth, resident_bytes
from load_tests.probe import FULL_LOAD_CLIENTS, Prober
from load_tests.progress import say
from load_tests.results import begin_results, write_results
from load_tests.texts import generate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle_options(parser)
    add_output_option(parser, "overload")
    parser.add_argument("--times", type=float, default=5.0, help="of the capacity")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--timeout-ms", type=int, default=1000, help="deadline of every request")


def run(arguments: argparse.Namespace) -> int:
    results = begin_results()
    with own_service(arguments, timeout_ms=arguments.timeout_ms) as service:
        prober = Prober(service, generate("mixed"), answers=None)
        say("measuring the peak rate")
        prober.closed(FULL_LOAD_CLIENTS, min(3.0, arguments.seconds))  # warms up
        peak = prober.closed(FULL_LOAD_CLIENTS, min(8.0, arguments.seconds))
        rate = arguments.times * peak.answered_per_second
        say(f"{peak.answered_per_second:,.0f}/s; offering {rate:,.0f}/s")
        # Fills the queue and allocates every buffer, so that what grows later is a leak.
        prober.open(rate, min(5.0, arguments.seconds))
        before = resident_bytes(service)
        probe = prober.open(rate, arguments.seconds, seed=1)
        grown = growth(before, resident_bytes(service))
    # A little more than the deadline: the answer also has to travel.
    within = [ms for ms in probe.latencies_ms if ms <= arguments.timeout_ms * 1.05]
    in_time_per_second = len(within) / arguments.seconds
    figures = {
        "peak_per_second": peak.answered_per_second,
        "offered_per_second": rate,
        "answered_in_time_per_second": in_time_per_second,
        "answered_in_time_to_peak": in_time_per_second / peak.answered_per_second,
        "refused": probe.refused,
        "lost": probe.lost,
        "unsent": probe.unsent,
        "refusal_p99_ms_in_service": probe.refusal_p99_ms,
        "largest_memory_growth": max(grown.values(), default=0.0),
        "generator_cores": probe.generator_cores,
        "generator_is_bottleneck": probe.generator_is_bottleneck,
        "disagreements": probe.disagreements,
    }
    print(json.dumps(figures, indent=1))
    options = {
        name: getattr(arguments, name) for name in ("precision", "times", "seconds", "timeout_ms")
    }
    write_results({**results, "options": options, **figures}, arguments.output)
    return 1 if probe.disagreements else 0
