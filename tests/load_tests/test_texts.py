import statistics

import pytest

from load_tests.texts import LENGTHS, Mix, generate


def word_counts(mix: Mix, count: int = 4000) -> list[int]:
    return sorted(
        len(text.text.replace("<br /><br />", " ").split()) for text in generate(mix, count)
    )


def test_sentences_have_a_mean_of_17_words() -> None:
    assert statistics.mean(word_counts("short")) == pytest.approx(17, rel=0.05)


def test_reviews_have_the_lengths_of_film_reviews() -> None:
    words = word_counts("long")
    assert statistics.mean(words) == pytest.approx(234, rel=0.05)
    assert words[int(0.95 * len(words))] == pytest.approx(600, rel=0.08)
    assert words[-1] <= LENGTHS["long"].most == 2500


def test_one_text_in_five_of_the_mixed_ones_is_a_review() -> None:
    kinds = [text.kind for text in generate("mixed", 500)]
    assert kinds.count("long") == 100
    assert kinds[:100].count("long") not in (0, 100)


def test_the_same_seed_gives_the_same_texts() -> None:
    assert generate("mixed", 50, seed=3) == generate("mixed", 50, seed=3)
    assert generate("mixed", 50, seed=3) != generate("mixed", 50, seed=4)


def test_no_text_is_blank() -> None:
    assert all(text.text.strip() for text in generate("short", 4000))
