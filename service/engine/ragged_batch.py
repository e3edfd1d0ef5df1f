"""Texts of different lengths one after the other: what every backend takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Self

import numpy as np
import numpy.typing as npt

from service.engine.tokenizer import TokenIds


@dataclass(frozen=True)
class RaggedBatch:
    """At least one text of at least one token each; text ``i`` stands at
    ``token_ids[offsets[i]:offsets[i + 1]]``."""

    token_ids: TokenIds  # (tokens,)
    offsets: npt.NDArray[np.int64]  # (texts + 1,)

    @classmethod
    def of(cls, texts: Sequence[TokenIds]) -> Self:
        """Raises ValueError when there is no text, or one without tokens."""
        if not texts or not all(map(len, texts)):
            raise ValueError("a batch has at least one text, and each text at least one token")
        # Python's own sums: for as few texts as a batch has, NumPy's take three times as long.
        offsets = np.array([0, *accumulate(map(len, texts))], dtype=np.int64)
        return cls(np.concatenate(texts), offsets)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text, (texts,)."""
        return self.offsets[1:] - self.offsets[:-1]  # a fifth of np.diff

    @property
    def texts(self) -> int:
        return len(self.offsets) - 1

    @property
    def tokens(self) -> int:
        return len(self.token_ids)

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest text."""
        return int(max(self.lengths.tolist()))
