"""Find the highest rate that meets an objective, per backend and workers; writes an HTML report."""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from load_tests.capacity import Capacity, measure_capacity
from load_tests.capacity_report import capacity_report
from load_tests.commands.options import default_bundle
from load_tests.machine import describe_machine
from load_tests.peer import Precision
from load_tests.probe import Prober
from load_tests.reference_answers import ReferenceAnswers
from load_tests.service_process import BACKENDS, running_service
from load_tests.texts import MIXES, generate

TEXTS = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--output", type=Path, default=Path("build/load/capacity.html"))
    parser.add_argument("--precisions", default="fp32,int8")
    parser.add_argument("--workers", default="", help="numbers, comma-separated; 1 and the cores")
    parser.add_argument("--mix", choices=MIXES, default="mixed")
    parser.add_argument("--p99-ms", type=float, default=100.0, help="the objective")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")


def run(arguments: argparse.Namespace) -> int:
    cores = len(os.sched_getaffinity(0))
    workers = [int(number) for number in arguments.workers.split(",") if number]
    machine = describe_machine()
    precisions: list[Precision] = [p for p in BACKENDS if p in arguments.precisions.split(",")]
    set_ups = [(p, number) for p in precisions for number in workers or sorted({1, cores})]
    texts = generate(arguments.mix, TEXTS)
    capacities: list[Capacity] = []
    for index, (precision, number) in enumerate(set_ups, 1):
        name = f"{precision}, {number} {'worker' if number == 1 else 'workers'}"
        settings = {"backend": BACKENDS[precision], "workers": str(number)}

        def say(message: str, place: str = f"[{index}/{len(set_ups)}]") -> None:
            print(f"{place} {message}", file=sys.stderr, flush=True)

        answers = ReferenceAnswers(arguments.bundle, precision)
        with running_service(arguments.bundle, settings) as service:
            capacities.append(
                measure_capacity(
                    name,
                    settings,
                    arguments.mix,
                    Prober(service, texts, answers),
                    arguments.p99_ms,
                    arguments.seconds,
                    say,
                )
            )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    page = capacity_report(capacities, machine, time.strftime("%Y-%m-%d"))
    arguments.output.write_text(page, encoding="utf-8")
    data = arguments.output.with_suffix(".json")
    rows = [_without_samples(asdict(capacity)) for capacity in capacities]
    data.write_text(json.dumps({"machine": machine, "capacities": rows}, indent=1), "utf-8")
    print(f"report: {arguments.output}\nfigures: {data}")
    return 0


def _without_samples(capacity: dict[str, object]) -> object:
    """The figures alone: a report of a million latencies is nothing to keep."""
    text = json.dumps(capacity, default=str)
    return json.loads(
        text, object_hook=lambda found: {k: found[k] for k in found if k != "latencies_ms"}
    )
