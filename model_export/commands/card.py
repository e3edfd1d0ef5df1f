"""Evaluate a bundle and write its model card with pictures beside it."""

import argparse
from pathlib import Path

from rich.console import Console

from model_export.card import write_card
from model_export.commands.options import (
    add_behaviour_option,
    add_bundle_option,
    add_data_option,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle_option(parser)
    add_data_option(parser)
    add_behaviour_option(parser)
    parser.add_argument(
        "--notes", type=Path, nargs="+", default=[], help="Markdown on data, use, limits to include"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    write_card(options.bundle, options.data, options.behaviour, options.notes, console)
    return 0
