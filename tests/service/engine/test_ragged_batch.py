import numpy as np
import pytest
from hypothesis import given

from tests.service.engine.ragged_texts import TEXTS, ragged


@given(TEXTS)
def test_texts_stand_one_after_the_other_in_the_order_of_the_input(texts: list[list[int]]) -> None:
    batch = ragged(texts)
    assert batch.token_ids.tolist() == [token_id for text in texts for token_id in text]
    bounds = batch.offsets.tolist()
    for index, text in enumerate(texts):
        assert batch.token_ids[bounds[index] : bounds[index + 1]].tolist() == text
    assert batch.token_ids.dtype == np.int32
    assert batch.offsets.dtype == np.int64


@given(TEXTS)
def test_texts_and_tokens_are_counted_without_padding(texts: list[list[int]]) -> None:
    batch = ragged(texts)
    assert batch.texts == len(texts)
    assert batch.lengths.tolist() == [len(text) for text in texts]
    assert batch.tokens == sum(map(len, texts))
    assert batch.longest == max(map(len, texts))


@pytest.mark.parametrize("texts", [[], [[]], [[1], [], [2]]])
def test_nothing_to_run_is_no_batch(texts: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        ragged(texts)
