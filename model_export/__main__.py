"""From labelled texts to a bundle that ``python -m service`` serves.

First ``train`` a classifier on directories of JSON lines, then ``export`` it: that traces the
network, proves that every traced form answers alike and publishes the bundle.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from model_export.ablation import ablate
from model_export.card import write_card
from model_export.configuration import read_configuration
from model_export.errors import ModelExportError
from model_export.evaluate import evaluate
from model_export.export import export
from model_export.fetch_data import fetch_data
from model_export.page_numbers import write_page_numbers
from model_export.pictures import draw_pictures
from model_export.roofline_report import report_roofline
from model_export.run import Run
from model_export.training import SAVE_SECONDS, train
from model_export.verify import verify
from service.engine.backends import BackendError
from service.engine.backends.registry import BACKENDS
from service.engine.bundle import Bundle, BundleError

DATA_HELP = (
    "directory with train*.jsonl and dev*.jsonl somewhere below it (.gz too), one "
    '{"text": "...", "label": ...} per line'
)
BEHAVIOUR_HELP = "TOML suite of behavioural cases, such as tests/behaviour/cases.toml"


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(
        prog="python -m model_export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "fetch-data",
        help="fetch IMDb and SST-2 from their authors' addresses; goes on where it was stopped",
    )
    command.add_argument("--data", type=Path, required=True, help="directory to fill")

    command = commands.add_parser(
        "train",
        help="learn from texts into a run directory; goes on where it was stopped",
        description="Learn from texts. Kill it whenever you like: the same command goes on.",
    )
    command.add_argument(
        "--config",
        type=Path,
        required=True,
        help="TOML file, such as model_export/configurations/sentiment.toml",
    )
    command.add_argument("--data", type=Path, required=True, help=DATA_HELP)
    command.add_argument("--run", type=Path, required=True, help="directory for what is learned")
    command.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:1")
    command.add_argument(
        "--processes",
        type=positive,
        default=1,
        help="processes that share each batch on a CPU; one per core is fastest (default 1)",
    )

    command.add_argument(
        "--save-seconds",
        type=float,
        default=SAVE_SECONDS,
        help=f"how much work a kill may lose, in seconds (default {SAVE_SECONDS:.0f})",
    )

    command = commands.add_parser(
        "ablate",
        help="train variants of a recipe on a small budget and compare them",
        description="Train each variant; stop it whenever you like: the same command goes on.",
    )
    command.add_argument(
        "--config",
        type=Path,
        required=True,
        help="TOML file of variants, such as model_export/configurations/ablation.toml",
    )
    command.add_argument("--data", type=Path, required=True, help=DATA_HELP)
    command.add_argument("--runs", type=Path, required=True, help="directory of the variants' runs")
    command.add_argument(
        "--prepared", type=Path, help="run whose vocabulary, vectors and pretraining are taken over"
    )
    command.add_argument("--processes", type=positive, default=1, help="as of train (default 1)")
    command.add_argument(
        "--json", type=Path, required=True, help="file for the numbers; a table is put beside it"
    )

    command = commands.add_parser(
        "export",
        help="trace a run's best weights, verify them and publish a bundle",
        description="Write, verify and publish a bundle. When a check fails nothing is published.",
    )
    command.add_argument("--run", type=Path, required=True, help="directory that train filled")
    command.add_argument("--bundle", type=Path, required=True, help="directory to publish")
    command.add_argument("--data", type=Path, help=f"verify on its dev files too: {DATA_HELP}")

    command = commands.add_parser(
        "verify", help="prove that every form of the model in a bundle answers alike"
    )
    command.add_argument("--bundle", type=Path, required=True, help="directory of the bundle")
    command.add_argument("--data", type=Path, help=f"use its dev files too: {DATA_HELP}")
    command.add_argument(
        "--oracle", action="store_true", help="compare every form with NumPy's equations too"
    )

    command = commands.add_parser("evaluate", help="measure a bundle's accuracy on dev files")
    command.add_argument("--bundle", type=Path, required=True, help="directory of the bundle")
    command.add_argument("--data", type=Path, required=True, help=DATA_HELP)
    command.add_argument("--json", type=Path, help="file to write all numbers to")
    command.add_argument(
        "--backend",
        choices=[kind.name for kind in BACKENDS.values() if not kind.is_program],
        default="onnx",
        help="default: onnx",
    )
    command.add_argument("--behaviour", type=Path, help=BEHAVIOUR_HELP)

    command = commands.add_parser(
        "card", help="evaluate a bundle and write its model card with pictures beside it"
    )
    command.add_argument("--bundle", type=Path, required=True, help="directory of the bundle")
    command.add_argument("--data", type=Path, required=True, help=DATA_HELP)
    command.add_argument("--behaviour", type=Path, help=BEHAVIOUR_HELP)
    command.add_argument(
        "--notes", type=Path, nargs="+", default=[], help="Markdown on data, use, limits to include"
    )

    command = commands.add_parser(
        "roofline", help="measure how fast this machine could be, and how fast each form is"
    )
    command.add_argument("--bundle", type=Path, required=True, help="directory of the bundle")
    command.add_argument(
        "--picture", type=Path, default=Path("runs/roofline.png"), help="default: runs/roofline.png"
    )

    command = commands.add_parser("pictures", help="draw the pictures of the documentation")
    command.add_argument("--bundle", type=Path, required=True, help="directory of the bundle")

    commands.add_parser("page-numbers", help="compute the numbers that the web page explains")
    return main


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def run_command(options: argparse.Namespace, console: Console) -> int:
    if options.command == "fetch-data":
        fetch_data(options.data, console)
    elif options.command == "train":
        configuration = read_configuration(options.config)
        run = Run(options.run)
        train(
            configuration,
            options.data,
            run,
            options.device,
            options.processes,
            console,
            options.save_seconds,
        )
    elif options.command == "ablate":
        prepared = Run(options.prepared) if options.prepared else None
        ablate(
            options.config,
            options.data,
            options.runs,
            prepared,
            options.processes,
            options.json,
            console,
        )
    elif options.command == "export":
        export(Run(options.run), options.bundle, options.data, console)
    elif options.command == "verify":
        report = verify(options.bundle, options.data, console, options.oracle)
        return 0 if report.passed else 1
    elif options.command == "roofline":
        report_roofline(options.bundle, options.picture, console)
    elif options.command == "pictures":
        draw_pictures(Bundle(options.bundle))
    elif options.command == "page-numbers":
        write_page_numbers()
    elif options.command == "evaluate":
        evaluate(
            options.bundle,
            options.data,
            options.backend,
            options.behaviour,
            options.json,
            console,
        )
    else:
        write_card(options.bundle, options.data, options.behaviour, options.notes, console)
    return 0


def main() -> int:
    options = parser().parse_args()
    try:
        return run_command(options, Console())
    except (ModelExportError, BundleError, BackendError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
