import pytest

from service.cost_model import CostModel
from service.failure import Overloaded
from service.queueing.admission import INITIAL_CHARACTERS_PER_TOKEN, Admission


def admission(max_texts: int = 100, max_tokens: int = 10_000) -> Admission:
    return Admission(CostModel(), 16, max_texts, max_tokens)


def test_an_empty_queue_takes_any_request_whatever_the_limits() -> None:
    wait = admission(1, 1).admit(10_000, 50, 1e-9, queued_texts=0, queued_tokens=0, workers=1)
    assert wait > 0


@pytest.mark.parametrize(("texts", "tokens"), [(100, 100), (10, 10_000)])
def test_a_full_queue_refuses_and_says_when_to_come_again(texts: int, tokens: int) -> None:
    with pytest.raises(Overloaded) as refusal:
        admission().admit(45, 1, 10.0, queued_texts=texts, queued_tokens=tokens, workers=1)
    assert refusal.value.rejection == "queue_full"
    headers = dict(refusal.value.headers)
    assert int(headers[b"retry-after"]) >= 1
    assert int(headers[b"retry-after-ms"]) == pytest.approx(
        refusal.value.retry_seconds * 1000, abs=1.0
    )


def test_a_wait_of_over_two_fifths_of_the_time_left_is_refused_at_once() -> None:
    bounds = admission()
    wait_seconds = bounds.backlog_seconds(51, 5010, workers=1)
    bounds.admit(45, 1, wait_seconds * 2.53, 50, 5000, workers=1)
    with pytest.raises(Overloaded) as refusal:
        bounds.admit(45, 1, wait_seconds * 2.47, 50, 5000, workers=1)
    assert refusal.value.rejection == "deadline_unreachable"


def test_more_workers_drain_a_backlog_sooner_and_none_is_counted_as_one() -> None:
    bounds = admission()
    one = bounds.backlog_seconds(50, 5000, workers=1)
    assert bounds.backlog_seconds(50, 5000, workers=2) == pytest.approx(one / 2)
    assert bounds.backlog_seconds(50, 5000, workers=0) == one
    assert bounds.backlog_seconds(0, 0, workers=1) == 0.0


def test_waits_that_come_out_longer_than_predicted_lengthen_the_next_predictions() -> None:
    bounds = admission()
    for _ in range(500):
        predicted = bounds.backlog_seconds(50, 5000, workers=1)
        bounds.observe_wait(predicted, 3 * CostModel().predict(16, 1600, 100) * 50 / 16)
    assert bounds.correction == pytest.approx(3.0, rel=0.01)


def test_one_absurd_wait_moves_the_prediction_little() -> None:
    bounds = admission()
    bounds.observe_wait(1e-6, 1e6)
    assert bounds.correction <= 1.2


def test_the_bytes_of_a_token_are_learnt_from_the_texts() -> None:
    bounds = admission()
    assert bounds.estimate_tokens(450) == round(450 / INITIAL_CHARACTERS_PER_TOKEN)
    for _ in range(2000):
        bounds.observe_length(200, 100)
    assert bounds.estimate_tokens(200) == 100
    assert bounds.estimate_tokens(0) == 1
