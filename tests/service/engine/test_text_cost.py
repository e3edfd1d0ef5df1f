"""Two mebibytes of any bytes cost at most 300 MB and 3 times the CPU of plain English."""

import numpy as np
import pytest

from service.engine.bundle import Bundle
from service.engine.tokenizer import CHARACTERS_PER_TOKEN, TextsTooLong, TextTokenizer, TextTooLong
from tests.service.engine.text_cost import text_cost

BODY_BYTES = 2 << 20
MORE_BYTES_LIMIT = 300 << 20
# A ratio, since the same work takes 1.3 to 2.0 s on one machine from minute to minute.
TIMES_ENGLISH_LIMIT = 3.0
TRIES = 5
ENGLISH = "a lovely film that I enjoyed, and so did they. "

# U+FDFA becomes 18 characters; the emoji 5 tokens; the others a token for each byte or two.
UNITS = ["\ufdfa", "@", "🙂", "x9", "a ", "½", "www.a ", "@a ", "한", " "]


@pytest.fixture(scope="module")
def tokenizer(bundle: Bundle) -> TextTokenizer:
    return TextTokenizer(bundle)


@pytest.fixture(scope="module")
def cpu_seconds_limit() -> float:
    return TIMES_ENGLISH_LIMIT * text_cost(ENGLISH, BODY_BYTES, 256, None).cpu_seconds


@pytest.mark.parametrize("truncate", [None, "right", "left"])
@pytest.mark.parametrize("texts", [1, 256])
def test_a_body_of_any_bytes_costs_bounded_time_and_memory(
    texts: int, truncate: str | None, cpu_seconds_limit: float
) -> None:
    for unit in UNITS:
        if texts == 1 or truncate != "left":
            costs = [text_cost(unit, BODY_BYTES, texts, truncate)]
            assert costs[0].more_bytes < MORE_BYTES_LIMIT, (unit, costs)
            # Whoever shares the core's caches and units only adds to the time.
            while costs[-1].cpu_seconds >= cpu_seconds_limit and len(costs) < TRIES:
                costs.append(text_cost(unit, BODY_BYTES, texts, truncate))
            assert costs[-1].cpu_seconds < cpu_seconds_limit, (unit, costs)


@pytest.mark.parametrize(("unit", "characters"), [("a ", 1), ("\ufdfa", 18), ("½", 3)])
def test_a_text_of_too_many_characters_for_its_tokens_is_refused_unless_it_may_be_cut(
    tokenizer: TextTokenizer, unit: str, characters: int
) -> None:
    limit = CHARACTERS_PER_TOKEN * 8
    text = unit * (2 * limit)
    with pytest.raises(TextTooLong, match=f"characters, at most {limit} are allowed") as refused:
        tokenizer.encode_within(["fine", text], 8, 999)
    assert refused.value.index == 1
    for side, kept in (("right", tokenizer.encode([text])[0][:8]), ("left", None)):
        encoded = tokenizer.encode_within(["fine", text], 8, 999, side)  # type: ignore[arg-type]
        assert encoded.truncated == 1
        assert len(encoded.token_ids[1]) == 8
        if kept is not None:
            assert encoded.token_ids[1].tolist() == kept.tolist()


def test_a_text_of_too_many_tokens_is_refused_or_cut_on_the_side_asked_for(
    tokenizer: TextTokenizer,
) -> None:
    text = "a good film and a bad one"
    whole = tokenizer.encode([text])[0]
    with pytest.raises(TextTooLong, match=f"has {len(whole)} tokens, at most 3 are") as refused:
        tokenizer.encode_within([text], 3, 99)
    assert (refused.value.index, refused.value.unit) == (0, "tokens")
    for side, kept in (("right", whole[:3]), ("left", whole[-3:])):
        encoded = tokenizer.encode_within(["film", text], 3, 99, side)  # type: ignore[arg-type]
        assert encoded.token_ids[1].tolist() == kept.tolist()
        assert (encoded.tokens, encoded.truncated) == (1 + len(whole), 1)


def test_groups_of_texts_give_the_same_ids_as_each_alone(tokenizer: TextTokenizer) -> None:
    draw = np.random.default_rng(0)
    words = ["fine", "½", "\ufdfa", "a good film"]
    texts = [" ".join(draw.choice(words, int(size))) for size in draw.integers(1, 60, 40)]
    encoded = tokenizer.encode_within(texts, 4096, 1 << 18)
    for text, token_ids in zip(texts, encoded.token_ids, strict=True):
        assert token_ids.tolist() == tokenizer.encode([text])[0].tolist()
    # So small a limit that they go in many groups.
    grouped = tokenizer.encode_within(texts, 1000, 1 << 18)
    assert [ids.tolist() for ids in grouped.token_ids] == [
        ids.tolist() for ids in encoded.token_ids
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [("a b c " * 30, "more than [0-9]+ tokens"), ("\ufdfa" * 20, "characters together")],
)
def test_texts_that_are_too_long_together_are_not_all_tokenised(
    tokenizer: TextTokenizer, text: str, why: str
) -> None:
    with pytest.raises(TextsTooLong, match=why):
        tokenizer.encode_within([text] * 50, 60, 1000, "right")


def test_the_tokens_of_a_text_are_bounded_too(tokenizer: TextTokenizer) -> None:
    assert len(tokenizer.tokens("a good film", 3)) == 3
    with pytest.raises(TextTooLong, match="3 tokens, at most 2"):
        tokenizer.tokens("a good film", 2)
    with pytest.raises(TextTooLong, match="characters, at most 64"):
        tokenizer.tokens("@" * 100, 2)
