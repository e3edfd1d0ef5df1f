"""Progress, on standard error so that standard output holds results only."""

import sys


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
