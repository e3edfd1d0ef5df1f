"""What the service costs when idle: share of a core over some seconds."""

import argparse
import time

from load_tests.commands.options import add_bundle_options, add_output_option, own_service
from load_tests.results import begin_results, write_results

SETTLE_SECONDS = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_bundle_options(parser)
    add_output_option(parser, "idle")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument(
        "--core-percent", type=float, default=1.0, help="allowed for all processes together"
    )


def run(arguments: argparse.Namespace) -> int:
    results = begin_results()
    with own_service(arguments) as service:
        assert service.process is not None
        time.sleep(min(SETTLE_SECONDS, arguments.seconds))
        before = service.process.processor_seconds()
        time.sleep(arguments.seconds)
        used = service.process.processor_seconds() - before
    percent = 100 * used / arguments.seconds
    options = {"precision": arguments.precision, "seconds": arguments.seconds}
    write_results({**results, "options": options, "core_percent": percent}, arguments.output)
    print(f"idle: {percent:.2f} % of a core")
    return 0 if percent <= arguments.core_percent else 1
