import numpy as np
from hypothesis import given

from service.engine.padded_batch import PaddedBatch
from tests.service.engine.ragged_texts import TEXTS, ragged


@given(TEXTS)
def test_rows_stand_longest_first_and_hold_their_texts(texts: list[list[int]]) -> None:
    batch = PaddedBatch.of(ragged(texts))
    assert batch.lengths.tolist() == sorted(map(len, texts), reverse=True)
    assert batch.token_ids.shape == (len(texts), max(map(len, texts)))
    for index, row in enumerate(batch.rows):
        length = batch.lengths[row]
        assert batch.token_ids[row, :length].tolist() == texts[index]
        assert not batch.token_ids[row, length:].any()
    assert batch.token_ids.dtype == batch.lengths.dtype == np.int64


@given(TEXTS)
def test_rows_come_back_in_the_order_of_the_input(texts: list[list[int]]) -> None:
    batch = PaddedBatch.of(ragged(texts))
    sums = batch.token_ids.sum(axis=1, keepdims=True).astype(np.float32)  # (texts, 1)
    assert batch.restore(sums)[:, 0].tolist() == [float(sum(text)) for text in texts]
