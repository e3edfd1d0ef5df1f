import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.engine.packed_batch import PackedBatch

texts = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=20), min_size=1, max_size=9)


@given(texts)
def test_rows_stand_longest_first_and_hold_their_texts(ids: list[list[int]]) -> None:
    batch = PackedBatch.pack([np.array(text, np.int32) for text in ids])
    assert batch.lengths.tolist() == sorted(map(len, ids), reverse=True)
    assert batch.token_ids.shape == (len(ids), max(map(len, ids)))
    for index, row in enumerate(batch.rows):
        length = batch.lengths[row]
        assert batch.token_ids[row, :length].tolist() == ids[index]
        assert not batch.token_ids[row, length:].any()
    assert batch.token_ids.dtype == batch.lengths.dtype == np.int64


@given(texts)
def test_outputs_come_back_in_the_order_of_the_inputs(ids: list[list[int]]) -> None:
    batch = PackedBatch.pack([np.array(text, np.int32) for text in ids])
    sums = batch.token_ids.sum(axis=1, keepdims=True).astype(np.float32)  # (batch, 1)
    assert batch.restore(sums)[:, 0].tolist() == [float(sum(text)) for text in ids]


@given(texts)
def test_tokens_are_counted_with_and_without_padding(ids: list[list[int]]) -> None:
    batch = PackedBatch.pack([np.array(text, np.int32) for text in ids])
    assert batch.tokens == sum(map(len, ids))
    assert batch.padded_tokens == len(ids) * max(map(len, ids))
