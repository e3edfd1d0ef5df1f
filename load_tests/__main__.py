"""``python -m load_tests COMMAND``: each command says what it does with ``--help``."""

import argparse
import signal
import sys

from load_tests.commands import (
    baselines,
    capacity,
    compare,
    idle,
    interference,
    metrics_cost,
    overload,
    run,
    slo,
    soak,
    table,
)
from load_tests.locust_run import LocustError
from load_tests.objective import ObjectiveError
from load_tests.revision import RevisionError
from load_tests.server_process import ServerError
from service.engine.bundle import BundleError

COMMANDS = (
    *(run, slo, capacity, overload, soak, idle, interference, compare, metrics_cost),
    *(baselines, table),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m load_tests", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2].replace("_", "-")
        summary = (command.__doc__ or "").split("\n")[0]
        aliases = ["peers"] if command is baselines else []  # its former name
        subparser = subparsers.add_parser(
            name, aliases=aliases, help=summary, description=command.__doc__
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    arguments = parser.parse_args()
    # So that `with` blocks end the servers they started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(arguments.run(arguments))
    except (
        BundleError,
        LocustError,
        ObjectiveError,
        RevisionError,
        ServerError,
        ValueError,
    ) as error:
        print(f"{parser.prog} {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
