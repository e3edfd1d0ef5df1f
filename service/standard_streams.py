"""Standard output and error that are closed are no failure."""

import os
import sys

STANDARD_DESCRIPTORS = (0, 1, 2)


def open_closed_descriptors() -> None:
    """Open the null device for each of the standard descriptors that was closed.

    Otherwise the next socket would become descriptor 2, and libraries would write to it.
    """
    for descriptor in STANDARD_DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(opened, True)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
