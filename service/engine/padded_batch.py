"""A batch as a rectangle, for the runtimes that take no other."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from service.engine.logits import Logits
from service.engine.ragged_batch import RaggedBatch


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """Token ids padded with zeros to the longest text.

    Rows stand longest first, the order in which packing needs no sorting of its own;
    ``rows[index]`` is the row of the ragged batch's text ``index``.
    """

    token_ids: npt.NDArray[np.int64]  # (texts, longest)
    lengths: npt.NDArray[np.int64]  # (texts,)
    rows: list[int]

    @classmethod
    def of(cls, batch: RaggedBatch) -> Self:
        lengths, longest = batch.lengths.tolist(), batch.longest
        order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
        rows = [0] * len(order)
        for row, index in enumerate(order):
            rows[index] = row
        content, starts = batch.token_ids.tobytes(), batch.offsets.tolist()
        # Padding bytes and joining them once takes a tenth of assigning row by row.
        padded = b"".join(
            [
                content[4 * starts[index] : 4 * starts[index + 1]].ljust(4 * longest, b"\0")
                for index in order
            ]
        )
        token_ids = np.frombuffer(padded, dtype=np.int32).astype(np.int64)
        return cls(
            token_ids.reshape(len(order), longest),
            np.array([lengths[index] for index in order], dtype=np.int64),
            rows,
        )

    def restore(self, logits: Logits) -> Logits:
        """Rows, (texts, labels), back in the order of the ragged batch."""
        return logits.take(self.rows, axis=0)
