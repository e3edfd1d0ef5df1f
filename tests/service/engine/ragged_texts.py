"""Batches of generated texts."""

import numpy as np
from hypothesis import strategies as st

from service.engine.ragged_batch import RaggedBatch

TEXTS = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=20), min_size=1, max_size=9)


def ragged(texts: list[list[int]]) -> RaggedBatch:
    return RaggedBatch.of([np.array(text, np.int32) for text in texts])
