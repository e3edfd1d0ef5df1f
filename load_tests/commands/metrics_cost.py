"""Measure what counting costs: a service with and one without metrics, by turns.

Prints one line per run and at the end a JSON line with the medians. Needs wrk and a quiet machine.
"""

import argparse
import json
import statistics
from contextlib import ExitStack
from pathlib import Path

from load_tests.commands.options import add_output_option
from load_tests.results import begin_results, write_results
from load_tests.server_process import ROOT, ServerError
from load_tests.service_process import running_service
from load_tests.wrk import WrkError, run_wrk, wrk_is_installed

SETTLE_SECONDS = 1.0
TEXT = (
    "A quiet film that takes its time, beautifully played, and in the end it moved me more"
    " than I had expected it to."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    bundle = ROOT / "models" / "sentiment"
    parser.add_argument("--bundle", type=Path, default=bundle, help="default: the shipped one")
    add_output_option(parser, "metrics-cost")
    parser.add_argument("--clients", type=int, default=64, help="connections (default 64)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one run (default 5)")
    parser.add_argument("--rounds", type=int, default=6, help="runs of each (default 6)")


def run(arguments: argparse.Namespace) -> int:
    if not wrk_is_installed():
        raise ServerError("wrk is not installed (make tools)")
    results = begin_results()
    rates: dict[bool, list[float]] = {True: [], False: []}
    with ExitStack() as stack:
        ports = {}
        for counting in rates:
            service = running_service(arguments.bundle, {"metrics": counting})
            ports[counting] = stack.enter_context(service).port
            # Caches and cost models settle.
            _requests_per_second(ports[counting], arguments.clients, SETTLE_SECONDS)
        for number in range(arguments.rounds):
            # On-off, off-on: what drifts with time falls on both alike.
            for counting in sorted(rates, reverse=bool(number % 2)):
                rate = _requests_per_second(ports[counting], arguments.clients, arguments.seconds)
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


def _requests_per_second(port: int, clients: int, seconds: float) -> float:
    try:
        result = run_wrk(port, [json.dumps({"inputs": TEXT}).encode()], clients, seconds)
    except WrkError as error:
        raise ServerError(f"wrk: {error}") from None
    if result.refused or result.broken:
        raise ServerError(f"{result.refused} requests were refused, {result.broken} broken")
    return result.requests_per_second
