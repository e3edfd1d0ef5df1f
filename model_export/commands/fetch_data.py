"""Fetch IMDb and SST-2 from their authors' addresses; goes on where it was stopped."""

import argparse
from pathlib import Path

from rich.console import Console

from model_export.fetch_data import fetch_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="directory to fill")


def run(options: argparse.Namespace, console: Console) -> int:
    fetch_data(options.data, console)
    return 0
