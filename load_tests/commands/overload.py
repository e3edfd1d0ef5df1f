"""Five times what the service can do: what is still answered in time, how quickly it refuses."""

import argparse
import json
import sys

from load_tests.commands.options import add_bundle_options
from load_tests.memory import growth, resident_bytes
from load_tests.probe import Prober
from load_tests.service_process import BACKENDS, running_service
from load_tests.texts import generate

TEXTS = 500
CLIENTS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle_options(parser)
    parser.add_argument("--times", type=float, default=5.0, help="of the capacity")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--timeout-ms", type=int, default=1000, help="deadline of every request")


def run(arguments: argparse.Namespace) -> int:
    settings = {"backend": BACKENDS[arguments.precision], "timeout_ms": arguments.timeout_ms}
    with running_service(arguments.bundle, settings) as service:
        prober = Prober(service, generate("mixed", TEXTS), answers=None)
        say("measuring the peak rate")
        prober.closed(CLIENTS, 3.0)  # warms up
        peak = prober.closed(CLIENTS, 8.0)
        rate = arguments.times * peak.answered_per_second
        say(f"{peak.answered_per_second:,.0f}/s; offering {rate:,.0f}/s")
        prober.open(rate, 5.0)  # fills the queue, and every buffer that will ever be needed
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
    return 1 if probe.disagreements else 0


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
