"""Options that several commands share."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from load_tests.service_process import BACKENDS, Service, running_service


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


@contextmanager
def service_of(arguments: argparse.Namespace) -> Iterator[Service]:
    """The service at ``--url``, or one that lasts as long as the ``with`` block."""
    if arguments.url is None:
        settings = {"backend": BACKENDS[arguments.precision]}
        with running_service(arguments.bundle, settings) as service:
            yield service
        return
    address = urlsplit(arguments.url)
    if address.hostname not in ("127.0.0.1", "localhost") or address.port is None:
        raise ValueError(f"--url {arguments.url}: must be http://127.0.0.1:PORT")
    yield Service(address.port, None)
