import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.bundle import Bundle, BundleError
from service.engine.logits import softmax
from service.engine.ragged_batch import RaggedBatch
from service.engine.scorer import Scorer, cut_by_length
from tests.service.engine.small_bundle import GOLDEN, write_bundle

TEXTS = ["dire", "A film that I loved from the first minute to the last.", "good " * 700, "meh"]


@pytest.fixture(scope="module")
def scorer(bundle: Bundle) -> Scorer:
    return Scorer(bundle)


def test_answers_come_in_the_order_of_the_texts(scorer: Scorer) -> None:
    together = scorer.probabilities(TEXTS * 9)  # (texts, labels): several batches
    alone = np.concatenate([scorer.probabilities([text]) for text in TEXTS])
    assert np.abs(together - np.tile(alone, (9, 1))).max() <= 1e-5
    assert together[:2, 1].round().tolist() == [0.0, 1.0]


def test_logits_are_those_of_the_backend(scorer: Scorer) -> None:
    token_ids = scorer.tokenizer.encode(TEXTS[:1])
    expected = scorer.backend.logits(RaggedBatch.of(token_ids))
    assert scorer.logits(TEXTS[:1]).tolist() == expected.tolist()
    assert scorer.probabilities(TEXTS[:1]).tolist() == softmax(expected).tolist()


def test_a_text_is_cut_at_the_tokens_that_the_bundle_was_verified_for(
    scorer: Scorer, bundle: Bundle
) -> None:
    limit = bundle.manifest.max_tokens
    assert [len(ids) for ids in scorer.encode(["good " * (limit + 5), "good"])] == [limit, 1]


def test_a_text_without_tokens_is_an_error_and_no_text_is_none(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        scorer.logits(["good", ""])
    assert scorer.logits([]).shape == (0, 2)


def test_progress_is_told_in_tokens(scorer: Scorer) -> None:
    told: list[int] = []
    token_ids = scorer.encode(TEXTS)
    scorer.logits_of_tokens(token_ids, told.append)
    assert sum(told) == sum(map(len, token_ids))


def test_a_bundle_whose_golden_answers_do_not_fit_is_refused(tmp_path: Path) -> None:
    other = [{**GOLDEN[0], "token_ids": [3, 1]}, GOLDEN[1]]
    with pytest.raises(BundleError, match="do not belong together"):
        Scorer(write_bundle(tmp_path, {"golden.json": json.dumps(other).encode()}))


@given(st.lists(st.integers(1, 300), max_size=80))
def test_batches_hold_every_text_once_and_only_similar_lengths(lengths: list[int]) -> None:
    texts = [np.zeros(length, np.int32) for length in lengths]
    batches = list(cut_by_length(texts))
    assert sorted(index for batch in batches for index in batch) == list(range(len(texts)))
    for batch in batches:
        assert 1 <= len(batch) <= 16
        assert max(lengths[i] for i in batch) <= 1.2 * min(lengths[i] for i in batch)
