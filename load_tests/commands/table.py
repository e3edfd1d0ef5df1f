"""Print the Markdown table of a results file that ``peers`` wrote."""

import argparse
import json
from pathlib import Path

from load_tests.peer_table import peer_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path)


def run(arguments: argparse.Namespace) -> int:
    print(peer_table(json.loads(arguments.results.read_text(encoding="utf-8"))))
    return 0
