import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.failure import Invalid, TooLarge
from service.http.request_body import parse_predict, parse_tokenize, texts_of


def parse(**fields: Any) -> tuple[list[str], bool]:
    return texts_of(parse_predict(json.dumps(fields).encode()).inputs, max_texts=3)


def test_one_text_flat_lists_and_lists_of_singletons_are_understood() -> None:
    assert parse(inputs="a") == (["a"], False)
    assert parse(inputs=["a"]) == (["a"], True)
    assert parse(inputs=["a", ["b"]]) == (["a", "b"], True)


def test_defaults_cut_nothing_and_give_probabilities() -> None:
    request = parse_predict(b'{"inputs": "a"}')
    assert (request.truncate, request.raw_scores, request.timeout_ms) == (False, False, None)
    assert request.truncation_direction == "Right"


@pytest.mark.parametrize("direction", ["Left", "Right", "left", "right"])
def test_both_sides_can_be_cut(direction: str) -> None:
    body = json.dumps({"inputs": "a", "truncation_direction": direction}).encode()
    assert parse_predict(body).truncation_direction == direction


def test_more_texts_than_allowed_are_too_large_even_if_they_are_blank() -> None:
    assert parse(inputs=["a", "b", "c"])[1]
    with pytest.raises(TooLarge, match=r"^inputs: 4 texts, at most 3 are allowed$"):
        parse(inputs=["a", "b", "c", ""])


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u3000", "\x1c\u2028"])
def test_a_blank_text_is_refused_by_its_place(blank: str) -> None:
    with pytest.raises(Invalid, match=r"^inputs: the text is blank$"):
        parse(inputs=blank)
    with pytest.raises(Invalid, match=r"^inputs\[1\]: the text is blank$"):
        parse(inputs=["a", [blank]])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"inputs": 5}, "inputs: must be a string or a list of strings"),
        ({"inputs": {"a": 1}}, "inputs: must be a string or a list of strings"),
        ({"inputs": ["a", None]}, "inputs[1]: must be a string"),
        ({"inputs": ["a", ["b", "c"]]}, "inputs[1]: must hold exactly one text"),
        ({"inputs": ["a", [["b"]]]}, "inputs[1]"),
        ({"inputs": []}, "inputs: the list is empty"),
        ({"inputs": "a", "timeout_ms": 0}, "timeout_ms: "),
        ({"inputs": "a", "timeout_ms": 1.5}, "timeout_ms: "),
        ({"inputs": "a", "raw_scores": 1}, "raw_scores: "),
        ({"inputs": "a", "truncation_direction": "up"}, "truncation_direction: "),
        ({"inputs": "a", "inptus": "b"}, "inptus: "),
        ({}, "inputs: Field required"),
    ],
)
def test_the_sentence_names_field_and_index(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(**fields)
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize("parser", [parse_predict, parse_tokenize])
@given(marker=st.text(st.characters(codec="ascii", categories=["L"]), min_size=12, max_size=12))
def test_a_refusal_quotes_nothing_of_the_input(parser: Any, marker: str) -> None:
    for inputs in ([marker, 5], [[marker, marker]], {"a": marker}, [{marker: 1}]):
        with pytest.raises(Invalid) as refusal:
            parser(json.dumps({"inputs": inputs}).encode())
        assert marker not in str(refusal.value)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_in_one_short_sentence(body: bytes) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_predict(body)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300
