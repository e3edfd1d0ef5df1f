"""Train variants of a recipe on a small budget and compare them.

Stop it whenever you like: the same command goes on.
"""

import argparse
from pathlib import Path

from rich.console import Console

from model_export.ablation import ablate
from model_export.commands.options import add_data_option, add_processes_option
from model_export.run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="TOML file of variants, such as model_export/configurations/ablation.toml",
    )
    add_data_option(parser)
    parser.add_argument("--runs", type=Path, required=True, help="directory of the variants' runs")
    parser.add_argument(
        "--prepared", type=Path, help="run whose vocabulary, vectors and pretraining are taken over"
    )
    add_processes_option(parser)
    parser.add_argument(
        "--json", type=Path, required=True, help="file for the numbers; a table is put beside it"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    ablate(
        options.config,
        options.data,
        options.runs,
        Run(options.prepared) if options.prepared else None,
        options.processes,
        options.json,
        console,
    )
    return 0
