"""Learn from texts into a run directory; goes on where it was stopped.

Kill it whenever you like: the same command goes on.
"""

import argparse
from pathlib import Path

from rich.console import Console

from model_export.commands.options import add_data_option, add_processes_option
from model_export.configuration import read_configuration
from model_export.environment import SAVE_SECONDS
from model_export.run import Run
from model_export.training import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="TOML file, such as model_export/configurations/sentiment.toml",
    )
    add_data_option(parser)
    parser.add_argument("--run", type=Path, required=True, help="directory for what is learned")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:1")
    add_processes_option(parser)
    parser.add_argument(
        "--save-seconds",
        type=float,
        default=SAVE_SECONDS,
        help=f"how much work a kill may lose, in seconds (default {SAVE_SECONDS:.0f})",
    )


def run(options: argparse.Namespace, console: Console) -> int:
    train(
        read_configuration(options.config),
        options.data,
        Run(options.run),
        options.device,
        options.processes,
        console,
        options.save_seconds,
    )
    return 0
