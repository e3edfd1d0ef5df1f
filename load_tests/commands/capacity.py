"""Find the highest rate that meets an objective, per backend, workers and threads; draws it."""

import argparse
import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path

from load_tests.capacity import Capacity, measure_capacity
from load_tests.capacity_report import capacity_report
from load_tests.commands.options import add_output_option, default_bundle
from load_tests.peer import BACKENDS, Precision
from load_tests.probe import Prober
from load_tests.reference_answers import ReferenceAnswers
from load_tests.results import begin_results, write_results
from load_tests.service_process import running_service
from load_tests.texts import MIXES, generate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    add_output_option(parser, "capacity")
    parser.add_argument("--report", type=Path, default=Path("build/load/capacity.html"))
    parser.add_argument("--precisions", default="fp32,int8")
    parser.add_argument("--set-ups", default="", help="workers and threads of each: 2x1,1x2")
    parser.add_argument("--mix", choices=MIXES, default="mixed")
    parser.add_argument("--p99-ms", type=float, default=100.0, help="the objective")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")


def run(arguments: argparse.Namespace) -> int:
    cores = len(os.sched_getaffinity(0))
    results = begin_results()
    precisions: list[Precision] = [p for p in BACKENDS if p in arguments.precisions.split(",")]
    pairs = parse_set_ups(arguments.set_ups) or sorted({(1, 1), (1, cores), (cores, 1)})
    set_ups = [(precision, *pair) for precision in precisions for pair in pairs]
    texts = generate(arguments.mix)
    capacities: list[Capacity] = []
    for index, (precision, workers, threads) in enumerate(set_ups, 1):
        name = f"{precision}, {_count(workers, 'worker')} of {_count(threads, 'thread')}"
        settings = {
            "backend": BACKENDS[precision],
            "workers": str(workers),
            "threads": str(threads),
        }

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
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    page = capacity_report(capacities, results["machine"], results["started_at"][:10])
    arguments.report.write_text(page, encoding="utf-8")
    rows = [_without_samples(asdict(capacity)) for capacity in capacities]
    write_results({**results, "capacities": rows}, arguments.output)
    print(f"report: {arguments.report}")
    return 0


def parse_set_ups(names: str) -> list[tuple[int, int]]:
    """Workers and threads per worker, from ``2x1,1x2``.

    Raises:
        ValueError: one of them is nothing of this form.
    """
    found = []
    for name in filter(None, names.split(",")):
        match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", name)
        if match is None:
            raise ValueError(f"{name!r} is not workers and threads such as 2x1")
        found.append((int(match[1]), int(match[2])))
    return found


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _without_samples(capacity: dict[str, object]) -> object:
    """The figures alone: a report of a million latencies is nothing to keep."""
    text = json.dumps(capacity, default=str)
    return json.loads(
        text, object_hook=lambda found: {k: found[k] for k in found if k != "latencies_ms"}
    )
