"""Compare the service with other servers around the same model, in interleaved rounds."""

import argparse
import os
from pathlib import Path

from load_tests.commands.options import add_output_option, default_bundle
from load_tests.comparison import LOADS, Comparison, Load
from load_tests.comparison_table import comparison_table
from load_tests.precision import parse_precisions
from load_tests.results import write_results
from load_tests.server import OURS, known_servers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    add_output_option(parser, "baselines")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument(
        "--baselines", default="", help="name prefixes, comma-separated: litserve,fastapi"
    )
    parser.add_argument("--precisions", default="fp32,int8")
    parser.add_argument("--loads", default="", help="mix and clients: short:1,mixed:64")
    parser.add_argument("--environments", type=Path, default=Path("build/baselines"))


def run(arguments: argparse.Namespace) -> int:
    cores = len(os.sched_getaffinity(0))
    wanted = (OURS, "echo", *arguments.baselines.split(","))  # every name begins with ""
    servers = [server for server in known_servers(cores) if server.name.startswith(wanted)]
    loads = [Load.parse(name) for name in arguments.loads.split(",") if name] or list(LOADS)
    results = Comparison(
        bundle=arguments.bundle,
        servers=servers,
        precisions=parse_precisions(arguments.precisions),
        loads=loads,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        environments=arguments.environments,
        cores=cores,
    ).run()
    write_results(results, arguments.output)
    print(comparison_table(results))
    return 0
