import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.bundle import Bundle, BundleError
from service.engine.tokenizer import TextTokenizer
from tests.service.engine.linear_time import GROWTH_LIMIT, growth
from tests.service.engine.small_bundle import TOKENIZER, write_bundle


@pytest.fixture(scope="module")
def tokenizer(bundle: Bundle) -> TextTokenizer:
    return TextTokenizer(bundle)


def test_ids_are_what_the_tokenizer_file_says(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(write_bundle(tmp_path))
    good, bad = tokenizer.encode(["A GOOD film", "bad"])
    assert (good.tolist(), bad.tolist()) == ([0, 1, 3], [2])
    assert good.dtype == np.int32


def test_truncation_and_padding_left_in_the_file_do_not_apply(tmp_path: Path) -> None:
    content = {
        **TOKENIZER,
        "truncation": {
            "direction": "Right",
            "max_length": 2,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 5},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[UNK]",
        },
    }
    bundle = write_bundle(tmp_path, {"tokenizer.json": json.dumps(content).encode()})
    assert TextTokenizer(bundle).encode(["good bad film", "bad"])[0].tolist() == [1, 2, 3]
    assert TextTokenizer(bundle).encode(["bad"])[0].tolist() == [2]


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b"\xff\xfe"])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, content: bytes) -> None:
    bundle = write_bundle(tmp_path, {"tokenizer.json": content})
    with pytest.raises(BundleError, match=r"tokenizer\.json"):
        TextTokenizer(bundle)


def test_more_tokens_than_the_embedding_has_rows_are_refused(tmp_path: Path) -> None:
    sizes = {"vocabulary": 3, "embedding": 2, "hidden": 2, "layers": 2, "directions": 2}
    with pytest.raises(BundleError, match="the token id 3, the embedding 3 rows"):
        TextTokenizer(write_bundle(tmp_path, sizes=sizes))


def test_offsets_point_into_the_text(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(write_bundle(tmp_path))
    assert tokenizer.tokens("A  Good film", 3) == [
        (0, "[UNK]", 0, 1),
        (1, "good", 3, 7),
        (3, "film", 8, 12),
    ]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_any_unicode_gives_the_same_ids_in_any_company_and_fits_the_embedding(
    bundle: Bundle, tokenizer: TextTokenizer, texts: list[str]
) -> None:
    together = tokenizer.encode(texts)
    for text, ids in zip(texts, together, strict=True):
        assert tokenizer.encode([text])[0].tolist() == ids.tolist()
        assert [token_id for token_id, *_ in tokenizer.tokens(text, 4096)] == ids.tolist()
        assert all(0 <= token_id < bundle.manifest.sizes.vocabulary for token_id in ids)


def test_other_threads_run_while_a_long_text_is_tokenised(tokenizer: TextTokenizer) -> None:
    text = "An enjoyable film, " * 100_000
    done = threading.Event()

    def encode() -> None:
        tokenizer.encode([text])
        done.set()

    threading.Thread(target=encode).start()
    turns = 0
    while not done.is_set():
        time.sleep(0.001)
        turns += 1
    assert turns > 5


# One of each kind of character or beginning that a rule of the tokenizer looks for.
UNITS = [
    " ",
    "\t\n",
    "\u2028",
    "a",
    "n",
    "'",
    "’",
    "!",
    "<br",
    "<br>",
    "@",
    "@a",
    "&amp;",
    "www.",
    ":",
]
UNITS += ["-lrb-", "(", "1", "é", "\u0301", "漢", "🙂"]
ENDS = ["", "nx", "'", "n't"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_as_the_text_does(tokenizer: TextTokenizer, unit: str, end: str) -> None:
    def text(size: int) -> str:
        return unit * (size // len(unit)) + end

    assert growth(lambda text: tokenizer.encode([text]), text, 1000) < GROWTH_LIMIT


@pytest.mark.parametrize("first", UNITS)
def test_time_grows_as_the_text_does_when_kinds_alternate(
    tokenizer: TextTokenizer, first: str
) -> None:
    for second in UNITS:

        def text(size: int, unit: str = first + second * 3) -> str:
            return unit * (size // len(unit))

        assert growth(lambda text: tokenizer.encode([text]), text, 1000) < GROWTH_LIMIT, second
