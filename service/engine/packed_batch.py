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
    ``order[row]`` is the place that the row's text had in the input.
    """

    token_ids: npt.NDArray[np.int64]  # (batch, time)
    lengths: npt.NDArray[np.int64]  # (batch,)
    order: list[int]

    @classmethod
    def pack(cls, texts: Sequence[TokenIds]) -> "PackedBatch":
        """Sort and pad. Every text has at least one token; there is at least one text."""
        order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        lengths = np.array([len(texts[index]) for index in order], dtype=np.int64)  # (batch,)
        token_ids = np.zeros((len(order), lengths[0]), dtype=np.int64)  # (batch, time)
        for row, index in enumerate(order):
            token_ids[row, : lengths[row]] = texts[index]
        return cls(token_ids, lengths, order)

    @property
    def tokens(self) -> int:
        return int(self.lengths.sum())

    @property
    def padded_tokens(self) -> int:
        """Positions that a backend computes if it does not skip padding."""
        return int(self.token_ids.size)

    def restore(self, rows: Scores) -> Scores:
        """Rows of an output back in the order of the input."""
        restored = np.empty_like(rows)  # (batch, labels)
        restored[self.order] = rows
        return restored
