import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model_export.configuration import VocabularyConfiguration
from model_export.vocabulary import learn_tokenizer

TEXTS = [
    "It's a lovely film, and I don't regret it!",
    "the @user says weblink is good :-) but the actor's voice wasn't :(",
    "so good!! not bad. \" quoted \" ' single ' (brackets)",
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    configuration = VocabularyConfiguration(size=420, min_frequency=1)
    learned = learn_tokenizer(TEXTS * 5, configuration)
    # What a server loads is the file, so that is what is tested.
    return Tokenizer.from_str(learned.to_str())


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("It's a lovely film!", "it 's a lovely film !"),
        ("I don't regret it.", "i do n't regret it ."),
        ("lovely<br /><br/>film", "lovely film"),
        ("see https://t.co/a?b=1 now", "see www.example.org/x now"),
        ("thanks @anyone_1", "thanks @someone"),
        ("sooooo goooood!!!!!!", "soo good!!"),
        ("LOVELY FILM", "lovely film"),
        ("‘single’ “quoted”", "'single' \"quoted\""),
        ("a ``quoted'' word", 'a "quoted" word'),
        ("ﬁlm\u00a0lovely", "film lovely"),
    ],
)
def test_spellings_of_one_thing_have_the_same_ids(
    tokenizer: Tokenizer, text: str, same: str
) -> None:
    assert tokenizer.encode(text).tokens == tokenizer.encode(same).tokens


@pytest.mark.parametrize(
    ("text", "other"),
    [("good :-)", "good :-("), ("good", "goods"), ("😀", "😡"), ("film", "@film"), ("!", "?")],
)
def test_different_things_have_different_ids(tokenizer: Tokenizer, text: str, other: str) -> None:
    assert tokenizer.encode(text).ids != tokenizer.encode(other).ids


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_text_is_left_without_a_token(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.encode(text).ids


@pytest.mark.parametrize("text", ["<br />", " \n ", "\x00", "\u200b", "\u0301", "&amp;", "\ufeff"])
def test_texts_of_nothing_visible_have_a_token(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.encode(text).ids


def test_nothing_is_cut_or_padded(tokenizer: Tokenizer) -> None:
    long, short = tokenizer.encode_batch(["lovely " * 5000, "lovely"])
    assert (len(long.ids), len(short.ids)) == (5000, 1)
