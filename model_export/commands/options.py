"""Options that several commands share."""

import argparse
from pathlib import Path

DATA_HELP = (
    "directory with train*.jsonl and dev*.jsonl somewhere below it (.gz too), one "
    '{"text": "...", "label": ...} per line'
)


def add_data_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help=DATA_HELP)


def add_optional_data_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help=f"verify on its dev files too: {DATA_HELP}")


def add_bundle_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, required=True, help="directory of the bundle")


def add_behaviour_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--behaviour",
        type=Path,
        help="TOML suite of behavioural cases, such as tests/behaviour/cases.toml",
    )


def add_processes_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--processes",
        type=positive,
        default=1,
        help="processes that share each batch on a CPU; one per core is fastest (default 1)",
    )


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
