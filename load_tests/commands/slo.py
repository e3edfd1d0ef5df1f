"""Measure every objective of an SLO file; exit with 1 if one is missed."""

import argparse
from pathlib import Path

from load_tests.checked_run import checked_run
from load_tests.commands.options import add_service_options, service_of
from load_tests.locust_run import LocustRun
from load_tests.objective import SLO_FILE, OpenLoop, Users, read_objectives
from load_tests.probe import FULL_LOAD_CLIENTS, Probe, Prober
from load_tests.progress import say
from load_tests.reference_answers import ReferenceAnswers
from load_tests.service_process import Service
from load_tests.texts import Mix, generate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_service_options(parser)
    parser.add_argument("--file", type=Path, default=SLO_FILE)


def run(arguments: argparse.Namespace) -> int:
    objectives = read_objectives(arguments.file)
    missed = 0
    with service_of(arguments) as service:
        answers = ReferenceAnswers(arguments.bundle, arguments.precision)
        probers: dict[Mix, Prober] = {}
        capacities: dict[Mix, float] = {}
        for objective in objectives.open_loop:
            mix = objective.mix
            if mix not in probers:
                say(f"measuring the capacity for {mix} texts")
                probers[mix] = Prober(service, generate(mix), answers)
                closed = probers[mix].closed(FULL_LOAD_CLIENTS, objectives.capacity.seconds)
                capacities[mix] = closed.answered_per_second
                say(f"{capacities[mix]:,.0f} answers/s with {FULL_LOAD_CLIENTS} clients")
            say(f"measuring: {objective.name}, {objective.seconds:g} s")
            rate = objective.share_of_capacity * capacities[mix]
            probe = probers[mix].open(rate, objective.seconds, objective.arrivals)
            missed += judge_open_loop(objective, probe)
        for users in objectives.users:
            say(f"measuring: {users.name}, {users.seconds:g} s")
            missed += judge_users(users, arguments, service)
    return 1 if missed else 0


def judge_open_loop(objective: OpenLoop, probe: Probe) -> bool:
    figures = (
        f"{probe.answered_per_second:,.0f}/s, p50 {probe.p50_ms:.2f} ms, p99 {probe.p99_ms:.2f} ms,"
        f" p99 of the short ones {probe.short_p99_ms:.2f} ms"
    )
    misses = objective.misses(probe) + probe.disagreements
    if probe.generator_is_bottleneck:
        figures += "; the load generator was late, so these are an upper bound"
    return report(objective.name, figures, misses)


def judge_users(users: Users, arguments: argparse.Namespace, service: Service) -> bool:
    run = LocustRun(
        service.url,
        users.scenario,
        arguments.bundle,
        arguments.precision,
        clients=users.clients,
        seconds=users.seconds,
        processes=users.processes,
    )
    summary, problems = checked_run(service, run)
    figures = f"{summary['requests']} requests, {summary['failures']} failures"
    if summary["generator_is_bottleneck"]:
        figures += "; the load generator was the bottleneck"
    return report(users.name, figures, problems)


def report(name: str, figures: str, misses: list[str]) -> bool:
    print(f"{'MISSED' if misses else 'met':<7} {name}: {figures}", flush=True)
    for miss in misses:
        print(f"        {miss}", flush=True)
    return bool(misses)
