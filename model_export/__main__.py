"""From labelled texts to a bundle that ``python -m service`` serves.

First ``train`` a classifier on directories of JSON lines, then ``export`` it: that traces the
network, proves that every traced form answers alike and publishes the bundle.
"""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from model_export.commands import ablate, card, evaluate, export, fetch_data, train, verify
from model_export.errors import ModelExportError
from service.engine.backends import BackendError
from service.engine.bundle import BundleError

COMMANDS = (fetch_data, train, ablate, export, verify, evaluate, card)


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(
        prog="python -m model_export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2].replace("_", "-")
        summary = (command.__doc__ or "").split("\n")[0]
        subparser = subparsers.add_parser(name, help=summary, description=command.__doc__)
        command.add_arguments(subparser)
        subparser.set_defaults(execute=command.run)
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return int(options.execute(options, Console()))
    except (ModelExportError, BundleError, BackendError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
