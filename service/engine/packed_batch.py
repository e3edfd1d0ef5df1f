"""Texts of different lengths as one array, longest first: what every backend takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.engine.tokenizer import TokenIds

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Token ids padded to the longest text, with the length of each.

    Rows stand longest first, the order in which packing needs no sorting of its own;
    ``rows[index]`` is the row in which the input's text ``index`` stands.
    """

    token_ids: npt.NDArray[np.int64]  # (batch, time)
    lengths: npt.NDArray[np.int64]  # (batch,)
    rows: list[int]

    @classmethod
    def pack(cls, texts: Sequence[TokenIds]) -> "PackedBatch":
        """Sort and pad. Every text has at least one token; there is at least one text."""
        order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        rows = [0] * len(order)
        for row, index in enumerate(order):
            rows[index] = row
        lengths = np.array([len(texts[index]) for index in order], dtype=np.int64)  # (batch,)
        longest = len(texts[order[0]])
        # Padding bytes and joining them once takes a tenth of assigning row by row.
        padded = b"".join([texts[index].tobytes().ljust(4 * longest, b"\0") for index in order])
        token_ids = np.frombuffer(padded, dtype=np.int32).astype(np.int64)
        return cls(token_ids.reshape(len(order), longest), lengths, rows)

    @property
    def tokens(self) -> int:
        return int(self.lengths.sum())

    @property
    def padded_tokens(self) -> int:
        """Positions that a backend computes if it does not skip padding."""
        return int(self.token_ids.size)

    def restore(self, output: Scores) -> Scores:
        """An output's rows back in the order of the input."""
        return output.take(self.rows, axis=0)
