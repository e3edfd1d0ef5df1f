"""Run one scenario with locust: checked answers, several processes."""

import argparse
import json
import sys

from load_tests.checked_run import checked_run
from load_tests.commands.options import add_service_options, service_of
from load_tests.locust_run import LocustRun
from load_tests.scenario import SCENARIOS
from load_tests.texts import MIXES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scenario",
        choices=SCENARIOS,
        help="; ".join(f"{name}: {scenario.summary}" for name, scenario in SCENARIOS.items()),
    )
    add_service_options(parser)
    parser.add_argument("--clients", type=int, default=32, help="of a closed loop")
    parser.add_argument("--rate", type=float, default=100.0, help="requests/s of an open loop")
    parser.add_argument("--mix", choices=MIXES, default="mixed", help="of an open loop")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--processes", type=int, default=2, help="of locust")


def run(arguments: argparse.Namespace) -> int:
    with service_of(arguments) as service:
        run = LocustRun(
            url=service.url,
            scenario=arguments.scenario,
            bundle=arguments.bundle,
            precision=arguments.precision,
            mix=arguments.mix,
            clients=arguments.clients,
            rate=arguments.rate,
            seconds=arguments.seconds,
            processes=arguments.processes,
        )
        summary, problems = checked_run(service, run)
    json.dump(summary, sys.stdout, indent=1)
    print()
    if summary["generator_is_bottleneck"]:
        print("the load generator was the bottleneck: raise --processes", file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0
