"""Measure the service beside its peers in interleaved rounds and write results as JSON."""

import argparse
import os
from pathlib import Path

from load_tests.commands.options import add_output_option, default_bundle
from load_tests.comparison import LOADS, Comparison, Load
from load_tests.peer import OURS, known_peers
from load_tests.peer_table import peer_table
from load_tests.results import write_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    add_output_option(parser, "peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument(
        "--peers", default="", help="beginnings of names, comma-separated: litserve,fastapi"
    )
    parser.add_argument("--precisions", default="fp32,int8")
    parser.add_argument("--loads", default="", help="mix and clients: short:1,mixed:64")
    parser.add_argument("--environments", type=Path, default=Path("build/peers"))


def run(arguments: argparse.Namespace) -> int:
    cores = len(os.sched_getaffinity(0))
    wanted = (OURS, "echo", *arguments.peers.split(","))
    peers = [
        peer for peer in known_peers(cores) if not arguments.peers or peer.name.startswith(wanted)
    ]
    loads = [Load.parse(name) for name in arguments.loads.split(",") if name] or list(LOADS)
    results = Comparison(
        bundle=arguments.bundle,
        peers=peers,
        precisions=[name for name in ("fp32", "int8") if name in arguments.precisions.split(",")],
        loads=loads,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        environments=arguments.environments,
        cores=cores,
    ).run()
    write_results(results, arguments.output)
    print(peer_table(results))
    return 0
