import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import normalizers

from service.engine.text_length import TextLength

RULES = {
    (): normalizers.Lowercase(),
    ("NFKC",): normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]),
    ("NFD",): normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase()]),
}
# As likely as any other character, those that become longer.
TEXTS = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("ﷺ½…한İaé")))


@pytest.mark.parametrize("forms", RULES)
@given(text=TEXTS)
def test_no_text_is_longer_than_it_was_said_to_be(forms: tuple[str, ...], text: str) -> None:
    assert len(RULES[forms].normalize_str(text)) <= TextLength(forms).of(text)


@pytest.mark.parametrize("forms", RULES)
def test_no_character_of_unicode_is_longer_than_it_was_said_to_be(forms: tuple[str, ...]) -> None:
    length = TextLength(forms)
    for start in range(0, 0x110000, 0x1000):
        # A letter after each keeps neighbours from being composed into one.
        codes = [code for code in range(start, start + 0x1000) if not 0xD800 <= code < 0xE000]
        text = "".join(chr(code) + "\n" for code in codes)
        found = RULES[forms].normalize_str(text)
        assert len(found) <= length.of(text)


def test_what_becomes_longer_is_counted_exactly() -> None:
    length = TextLength(["NFKC"])
    assert length.most == 18
    assert length.of("ﷺ" * 3 + "½" + "abc") == 3 * 18 + 3 + 3
    assert TextLength([]).of("ﷺ한") == 2
    assert TextLength(["NFD"]).of("한") == 3


@given(text=TEXTS, characters=st.integers(1, 60))
def test_what_is_kept_of_either_end_fits_and_one_more_would_not(text: str, characters: int) -> None:
    length = TextLength(["NFKC"])
    first, last = length.first(text, characters), length.last(text, characters)
    assert text.startswith(first)
    assert text.endswith(last)
    for kept, more in ((first, text[: len(first) + 1]), (last, text[-len(last) - 1 :])):
        assert length.of(kept) <= characters
        assert kept == text or length.of(more) > characters
