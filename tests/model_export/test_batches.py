import numpy as np

from model_export.batches import EpochPlan, plan_epoch, plan_pass
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


def test_a_pass_cuts_all_of_every_text_into_windows() -> None:
    for seed in range(20):
        found = plan_pass(LENGTHS, 32, 1, 100, np.random.default_rng(seed))
        assert sorted(np.concatenate(found.batches)) == list(range(len(found.texts)))
        assert found.lengths.max() <= 32
        covered = [np.zeros(length, np.int64) for length in LENGTHS]
        for text, start, length in zip(found.texts, found.starts, found.lengths, strict=True):
            covered[text][start : start + length] += 1
        assert all((tokens == 1).all() for tokens in covered)


def test_passes_cut_at_different_places_and_drop_what_is_too_short() -> None:
    one, other = (plan_pass(LENGTHS, 32, 8, 100, np.random.default_rng(seed)) for seed in (1, 2))
    assert list(one.starts) != list(other.starts)
    assert min(one.lengths.min(), other.lengths.min()) >= 8
