import random
import re

import pytest

from load_tests.commands.compare import judge
from load_tests.ratio import bootstrap_ratio
from load_tests.revision import RevisionError, checked_out, name_of
from tests.load_tests.command import load_tests


def test_a_clear_difference_is_outside_the_interval() -> None:
    pairs = [(100.0 + noise, 80.0 + noise) for noise in range(-4, 5)]
    ratio = bootstrap_ratio(pairs)
    assert ratio.low <= ratio.middle <= ratio.high < 0.9


def test_noise_alone_leaves_the_interval_around_one() -> None:
    random_source = random.Random(5)
    pairs = [(random_source.gauss(100, 8), random_source.gauss(100, 8)) for _ in range(15)]
    ratio = bootstrap_ratio(pairs)
    assert ratio.low < 1 < ratio.high


def test_noise_that_strikes_both_sides_of_a_pair_cancels() -> None:
    ratio = bootstrap_ratio([(100.0 * minute, 95.0 * minute) for minute in (0.5, 1, 1.5, 0.7)])
    assert ratio.low == pytest.approx(0.95)
    assert ratio.high == pytest.approx(0.95)


def test_too_few_rounds_give_no_interval() -> None:
    with pytest.raises(ValueError, match="at least three rounds"):
        bootstrap_ratio([(1.0, 1.0)] * 2)


def test_an_unknown_revision_is_refused_in_gits_own_words() -> None:
    with pytest.raises(RevisionError, match="fatal:"), checked_out("no-such-revision"):
        pass
    with pytest.raises(RevisionError):
        name_of("no-such-revision")


def test_a_revisions_sources_are_there_while_they_are_needed() -> None:
    with checked_out("HEAD") as sources:
        assert (sources / "service" / "__main__.py").exists()
    assert not sources.exists()


def test_a_rate_is_judged_slower_only_when_the_whole_interval_is_below() -> None:
    noisy = bootstrap_ratio([(100.0, 70.0), (100.0, 100.0), (100.0, 130.0)])
    clear = bootstrap_ratio([(100.0, 80.0), (100.0, 81.0), (100.0, 79.0)])
    assert [judge("mixed", ratio, 0.95) for ratio in (noisy, clear)] == [False, True]
    assert not judge("mixed", clear, 0.75)


def test_a_commit_and_the_working_tree_are_compared_by_turns() -> None:
    # The limit is out of reach of any noise: how fast they are is not what is tested.
    done = load_tests(
        *("compare", "HEAD", ".", "--rounds", "3", "--seconds", "0.1", "--at-least", "0.01")
    )
    assert done.returncode == 0, done.stderr
    told = [line.partition("]")[2] for line in done.stderr.split("\n") if line.startswith("[")]
    sides = ["commit" if "HEAD (" in line else "tree" for line in told]
    assert sides == ["commit", "tree", "tree", "commit", "commit", "tree"]
    rates = [float(rate.replace(",", "")) for rate in re.findall(r"([\d,]+)/s", done.stderr)]
    assert len(rates) == 6 * 3
    assert min(rates) > 0
    title, *verdicts = done.stdout.strip().split("\n")
    assert title.startswith("the working tree to HEAD (")
    assert len(verdicts) == 3
    assert all(line.endswith("not slower") for line in verdicts)
