"""Measure how fast the classifier is and could be, and draw what the documentation shows."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from model_export.errors import ModelExportError
from service.engine.backends import BackendError
from service.engine.bundle import Bundle, BundleError
from textbook.page_numbers import write_page_numbers
from textbook.pictures import draw_pictures
from textbook.roofline_report import report_roofline
from textbook.speed_report import report_speed


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="python -m textbook", description=__doc__)
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    speed = commands.add_parser(
        "speed", help="time every way of computing the same answers on one core"
    )
    roofline = commands.add_parser(
        "roofline", help="measure how fast this machine could be, and how fast each way is"
    )
    pictures = commands.add_parser("pictures", help="draw the pictures of the documentation")
    for command in (speed, roofline, pictures):
        command.add_argument("--bundle", type=Path, required=True, help="directory of the bundle")
    roofline.add_argument(
        "--picture", type=Path, default=Path("runs/roofline.png"), help="default: runs/roofline.png"
    )
    commands.add_parser("page-numbers", help="compute the numbers that the web page explains")
    return main


def run_command(options: argparse.Namespace, console: Console) -> None:
    if options.command == "speed":
        report_speed(options.bundle, console)
    elif options.command == "roofline":
        report_roofline(options.bundle, options.picture, console)
    elif options.command == "pictures":
        draw_pictures(Bundle(options.bundle))
    else:
        write_page_numbers()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        run_command(options, Console())
    except (ModelExportError, BundleError, BackendError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
