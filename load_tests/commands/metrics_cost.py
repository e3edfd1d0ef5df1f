"""Measure what counting costs: a service with and one without metrics, in turn.

Prints one line per run and at the end a JSON line with the medians. Needs a quiet machine.
"""

import argparse
import json
import statistics
from contextlib import ExitStack
from pathlib import Path

from load_tests.commands.options import add_output_option, default_bundle
from load_tests.generator import Generator, http_request
from load_tests.probe import FULL_LOAD_CLIENTS
from load_tests.results import begin_results, write_results
from load_tests.server_process import ServerError
from load_tests.service_process import Service, running_service

SETTLE_SECONDS = 1.0
TEXT = (
    "A quiet film that takes its time, beautifully played, and in the end it moved me more"
    " than I had expected it to."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    add_output_option(parser, "metrics-cost")
    parser.add_argument("--clients", type=int, default=FULL_LOAD_CLIENTS)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=6)


def run(arguments: argparse.Namespace) -> int:
    results = begin_results()
    rates: dict[bool, list[float]] = {True: [], False: []}
    with ExitStack() as stack:
        generators = {}
        for counting in rates:
            service = stack.enter_context(running_service(arguments.bundle, {"metrics": counting}))
            generators[counting] = _generator(service)
            # Caches and cost models settle.
            generators[counting].closed(arguments.clients, min(SETTLE_SECONDS, arguments.seconds))
        for number in range(arguments.rounds):
            # The order alternates, so that drift affects both alike.
            for counting in sorted(rates, reverse=bool(number % 2)):
                rate = _answers_per_second(generators[counting], arguments)
                rates[counting].append(rate)
                print(f"metrics {'on' if counting else 'off':3} {rate:8.0f} requests/s", flush=True)
    on, off = statistics.median(rates[True]), statistics.median(rates[False])
    report = {
        "requests_per_second_with": round(on),
        "requests_per_second_without": round(off),
        "cost_ratio": round(1 - on / off, 4),
    }
    options = {name: getattr(arguments, name) for name in ("clients", "seconds", "rounds")}
    write_results({**results, "options": options, **report}, arguments.output)
    print(json.dumps(report))
    return 0


def _generator(service: Service) -> Generator:
    body = json.dumps({"inputs": TEXT}).encode("ascii")
    return Generator(service.address, [http_request("/predict", body, service.port)])


def _answers_per_second(generator: Generator, arguments: argparse.Namespace) -> float:
    outcome = generator.closed(arguments.clients, arguments.seconds)
    answered = len(outcome.answered())
    refused = len(outcome.samples) - answered
    if refused or outcome.lost:
        raise ServerError(f"{refused} requests were refused, {outcome.lost} lost")
    return answered / outcome.seconds
