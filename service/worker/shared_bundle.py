"""The bundle as it was at the start, held once for all workers, whenever they start."""

import mmap
import multiprocessing.reduction
import os
import pickle
from typing import Any

from service.engine.bundle import Bundle


class SharedBundle:
    """A held bundle in memory that has a descriptor instead of a name (memfd_create(2)).

    Pickled for a worker it is that descriptor, not the bytes: they are in memory once, and once
    more in a worker only while it loads.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._descriptor = os.memfd_create("bundle")
        with open(self._descriptor, "wb", closefd=False) as file:
            pickle.dump(bundle, file, protocol=pickle.HIGHEST_PROTOCOL)

    def load(self) -> Bundle:
        # Mapped, because the position of a descriptor is shared with whoever else reads from it.
        with mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ) as content:
            bundle: Bundle = pickle.loads(content)
        return bundle

    def __getstate__(self) -> Any:
        return multiprocessing.reduction.DupFd(self._descriptor)

    def __setstate__(self, duplicate: Any) -> None:
        self._descriptor = duplicate.detach()
