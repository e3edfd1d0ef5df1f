"""The packed recurrent classifier on a CPU, in integers: the same bits in any batch.

``source/packed.h`` tells how it works, ``source/reference.cpp`` what it computes.
"""


class KernelError(Exception):
    """The kernel can't be had, or can't do what was asked; the message says why in one sentence."""
