import numpy as np

from model_export.batches import EpochPlan, plan_epoch
from model_export.corpus import Corpus

LENGTHS = np.array([5, 1, 300, 40, 8, 120, 3, 2, 77, 9])


def plan(seed: int = 0, share: float = 1.0, crop: int = 100) -> EpochPlan:
    shares = np.full(len(LENGTHS), share)
    return plan_epoch(LENGTHS, shares, crop, 200, 4, np.random.default_rng(seed))


def test_each_window_stands_in_one_batch() -> None:
    found = plan()
    assert sorted(np.concatenate(found.batches)) == list(range(len(LENGTHS)))
    assert sorted(found.texts) == list(range(len(LENGTHS)))


def test_shares_are_places_per_epoch() -> None:
    assert len(plan(share=3.0).texts) == 3 * len(LENGTHS)
    assert len(plan(share=0.0).texts) == 0
    draws = [len(plan(seed, share=0.5).texts) for seed in range(400)]
    assert abs(np.mean(draws) - 0.5 * len(LENGTHS)) < 0.3


def test_windows_are_no_longer_than_the_crop_and_within_their_text() -> None:
    for seed in range(20):
        found = plan(seed)
        assert (found.lengths <= 100).all()
        assert (found.starts + found.lengths <= LENGTHS[found.texts]).all()
        assert (found.starts >= 0).all()


def test_batches_keep_their_limits() -> None:
    found = plan()
    for windows in found.batches:
        assert len(windows) <= 4
        assert len(windows) == 1 or len(windows) * found.lengths[windows].max() <= 200


def test_one_seed_gives_one_plan() -> None:
    one, same, other = plan(1), plan(1), plan(2)
    assert [list(b) for b in one.batches] == [list(b) for b in same.batches]
    assert [list(b) for b in one.batches] != [list(b) for b in other.batches]


def test_a_batch_holds_the_ids_of_its_windows() -> None:
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    ids = np.arange(offsets[-1], dtype=np.uint16)
    corpus = Corpus(ids, offsets, np.zeros(len(LENGTHS), np.int64))
    found = plan()
    for windows in found.batches:
        batch = found.batch(corpus, windows)
        for row, window in enumerate(windows):
            start = offsets[found.texts[window]] + found.starts[window]
            length = found.lengths[window]
            assert batch.token_ids[row, :length].tolist() == list(range(start, start + length))
            assert not batch.token_ids[row, length:].any()
