"""Write the tables of load_tests/results/ into the pages that show them, or print a file's."""

import argparse
from pathlib import Path

from load_tests.measured_pages import PAGES, RESULTS, page_as_measured, table_of
from load_tests.server_process import ROOT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results",
        type=Path,
        nargs="*",
        help="a results file whose table is printed; without any, the pages are written",
    )


def run(arguments: argparse.Namespace) -> int:
    for file in arguments.results:
        print(table_of(file))
    if arguments.results:
        return 0
    for path, tables in PAGES.items():
        page = ROOT / path
        before = page.read_text(encoding="utf-8")
        after = page_as_measured(before, tables, RESULTS)
        page.write_text(after, encoding="utf-8")
        print(f"{path}: {'as it was' if after == before else 'written'}")
    return 0
