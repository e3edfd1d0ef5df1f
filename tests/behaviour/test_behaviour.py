"""The shipped model keeps the behaviour that its model card records."""

import json
from pathlib import Path

import pytest

from model_export.behaviour import PassRate, Suite, read_suite, run_suite
from service.engine.bundle import Bundle
from service.engine.scorer import Scorer

SUITE = Path(__file__).parent / "cases.toml"
SHIPPED = Path(__file__).parents[2] / "models" / "sentiment"
EVALUATION = json.loads((SHIPPED / "evaluation.json").read_text())


@pytest.fixture(scope="module")
def suite() -> Suite:
    return read_suite(SUITE)


@pytest.fixture(scope="module")
def rates(suite: Suite) -> dict[str, PassRate]:
    bundle = Bundle(SHIPPED)
    found = run_suite(suite, bundle.manifest.labels, Scorer(bundle, "onnx").probabilities)
    return {rate.capability: rate for rate in found}


def test_the_evaluation_is_that_of_the_shipped_bundle() -> None:
    assert EVALUATION["digest"] == Bundle(SHIPPED).digest


def test_the_suite_has_two_hundred_cases(rates: dict[str, PassRate]) -> None:
    assert sum(rate.cases for rate in rates.values()) >= 200


@pytest.mark.parametrize("recorded", EVALUATION["behaviour"], ids=lambda found: found["capability"])
def test_no_capability_falls_below_its_recorded_rate(
    rates: dict[str, PassRate], recorded: dict[str, object]
) -> None:
    rate = rates[str(recorded["capability"])]
    assert rate.cases == recorded["cases"]
    assert rate.passed >= int(str(recorded["passed"])), rate.failures


def test_plain_opinions_in_any_case_and_form_are_understood(rates: dict[str, PassRate]) -> None:
    # One holds an idiom instead of an opinion: staff who "went out of their way to help us".
    plain = rates["plain opinions"]
    assert plain.passed >= plain.cases - 1, plain.failures
    for capability in ("capitals", "tokenised form"):
        assert rates[capability].failures == []
