import pytest

from load_tests.reference_answers import KnownAnswers

KNOWN = KnownAnswers({"A text.": {"positive": 0.9, "negative": 0.1}}, tolerance=1e-4)


def answer(*rows: tuple[str, float]) -> list[dict[str, object]]:
    return [{"label": label, "score": score} for label, score in rows]


def test_the_engines_own_answer_is_right() -> None:
    assert KNOWN.problem("A text.", answer(("positive", 0.90001), ("negative", 0.09999))) is None


@pytest.mark.parametrize(
    "wrong",
    [
        answer(("positive", 0.91), ("negative", 0.09)),
        answer(("negative", 0.1), ("positive", 0.9)),
        answer(("positive", 0.9)),
        answer(("positive", 0.9), ("neutral", 0.1)),
        {"label": "positive"},
        None,
    ],
)
def test_anything_else_is_wrong(wrong: object) -> None:
    assert KNOWN.problem("A text.", wrong)
