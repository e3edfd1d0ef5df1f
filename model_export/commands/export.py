"""Trace a run's best weights, verify them and publish a bundle.

A backend that fails its checks is left out; when any other check fails nothing is published.
"""

import argparse
from pathlib import Path

from rich.console import Console

from model_export.commands.options import add_optional_data_option
from model_export.export import export
from model_export.run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, required=True, help="directory that train filled")
    parser.add_argument("--bundle", type=Path, required=True, help="directory to publish")
    add_optional_data_option(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    export(Run(options.run), options.bundle, options.data, console)
    return 0
