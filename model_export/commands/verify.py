"""Prove that every form of the model in a bundle answers alike; ends with 1 if one does not."""

import argparse

from rich.console import Console

from model_export.commands.options import add_bundle_option, add_optional_data_option
from model_export.verify import verify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle_option(parser)
    add_optional_data_option(parser)
    parser.add_argument(
        "--oracle", action="store_true", help="compare every form with NumPy's equations too"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    report = verify(options.bundle, options.data, console, options.oracle)
    return 0 if report.passed else 1
