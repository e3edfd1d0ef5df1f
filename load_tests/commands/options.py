"""Options that several commands share."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from load_tests.peer import BACKENDS
from load_tests.server_process import ROOT
from load_tests.service_process import Service, running_service


def default_bundle() -> Path:
    return Path(os.environ.get("SENTIMENT_BUNDLE", "models/sentiment"))


def add_bundle_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32")


def add_service_options(parser: argparse.ArgumentParser) -> None:
    add_bundle_options(parser)
    parser.add_argument(
        "--url", help="a service that runs on this machine; without it one is started"
    )


def add_output_option(parser: argparse.ArgumentParser, measurement: str) -> None:
    default = Path("build/load") / f"{measurement}.json"
    parser.add_argument("--output", type=Path, default=default, help="where the results go")


def own_service(
    arguments: argparse.Namespace, root: Path = ROOT, **settings: object
) -> AbstractContextManager[Service]:
    """A service for the measurement alone, from the sources at ``root``."""
    backend = BACKENDS[arguments.precision]
    return running_service(arguments.bundle, {"backend": backend, **settings}, root)


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextmanager
def service_of(arguments: argparse.Namespace) -> Iterator[Service]:
    """The service at ``--url``, or one that lasts as long as the ``with`` block."""
    if arguments.url is None:
        with own_service(arguments) as service:
            yield service
        return
    address = urlsplit(arguments.url)
    if address.hostname not in ("127.0.0.1", "localhost") or address.port is None:
        raise ValueError(f"--url {arguments.url}: must be http://127.0.0.1:PORT")
    yield Service(address.port, None)
