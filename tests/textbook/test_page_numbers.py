"""The page shows what the reference computes, and its arithmetic adds up."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from textbook.page_numbers import PATH, page_numbers, write_page_numbers

COMMITTED = Path(__file__).parents[2] / PATH
EXACT = 1e-12


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


FUNCTIONS = {"tanh": math.tanh, "sigmoid": sigmoid}


def assert_same(actual: Any, expected: Any, place: str = "principles.json") -> None:
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys(), place
        for key, value in expected.items():
            assert_same(actual[key], value, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), place
        for index, value in enumerate(expected):
            assert_same(actual[index], value, f"{place}[{index}]")
    elif isinstance(expected, float):
        assert actual == pytest.approx(expected, abs=EXACT), place
    else:
        assert actual == expected, place


def test_the_committed_numbers_are_what_the_reference_gives_now() -> None:
    assert_same(json.loads(COMMITTED.read_text()), page_numbers())


def test_writing_gives_what_was_computed(tmp_path: Path) -> None:
    write_page_numbers(tmp_path / "page" / "principles.json")
    assert json.loads((tmp_path / "page" / "principles.json").read_text()) == page_numbers()


def test_numpy_and_pytorch_agree_on_every_number() -> None:
    steps = page_numbers()["agreement"]["steps"]
    assert len(steps) == 3
    for step in steps:
        for pair in (*step["gates"].values(), step["c"], step["h"]):
            assert pair["numpy"] == pytest.approx(pair["pytorch"], abs=EXACT)


def test_the_operands_shown_give_the_numbers_shown() -> None:
    for step in page_numbers()["agreement"]["steps"]:
        gates = step["gates"]
        for gate in gates.values():
            for unit, terms in enumerate(gate["terms"]):
                total = sum(term["weight"] * term["operand"] for term in terms)
                shown = gate["numpy"][unit]
                assert FUNCTIONS[gate["function"]](total) == pytest.approx(shown, abs=EXACT)
        for unit, before in enumerate(step["c_before"]):
            i, f, g, o = (gates[name]["numpy"][unit] for name in "ifgo")
            c = f * before + i * g
            assert step["c"]["numpy"][unit] == pytest.approx(c, abs=EXACT)
            assert step["h"]["numpy"][unit] == pytest.approx(o * math.tanh(c), abs=EXACT)


def test_each_step_starts_from_the_state_that_the_last_one_left() -> None:
    steps = page_numbers()["agreement"]["steps"]
    for last, step in itertools.pairwise(steps):
        assert step["h_before"] == last["h"]["numpy"]
        assert step["c_before"] == last["c"]["numpy"]
