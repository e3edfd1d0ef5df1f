"""Measure a bundle's accuracy on dev files."""

import argparse
from pathlib import Path

from rich.console import Console

from model_export.commands.options import (
    add_behaviour_option,
    add_bundle_option,
    add_data_option,
)
from model_export.evaluate import evaluate
from service.engine.backends.registry import BACKENDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle_option(parser)
    add_data_option(parser)
    parser.add_argument("--json", type=Path, help="file to write all numbers to")
    parser.add_argument(
        "--backend",
        choices=[kind.name for kind in BACKENDS.values() if not kind.is_program],
        default="onnx",
        help="default: onnx",
    )
    add_behaviour_option(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    evaluate(
        options.bundle, options.data, options.backend, options.behaviour, options.json, console
    )
    return 0
