import asyncio
import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.reply import ReplyWriter, probabilities, server_timing
from service.prediction import Prediction


def prediction(logits: list[list[float]], truncated: int = 0) -> Prediction:
    async def make() -> Prediction:
        return Prediction([np.zeros(3, np.int32)] * len(logits), truncated, 1e9, 0.1)

    made = asyncio.run(make())
    made.logits = logits
    return made


def milliseconds(timing: tuple[bytes, bytes]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in re.findall(r"(\w+);dur=(\S+?)(?:,|$)", timing[1].decode())
    }


@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=9))
def test_probabilities_are_positive_add_up_to_one_and_never_overflow(logits: list[float]) -> None:
    scores = probabilities(logits)
    assert sum(scores) == pytest.approx(1.0)
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert np.argmax(scores) == np.argmax(logits) or max(logits) - sorted(logits)[-2] < 1e-9


def test_labels_stand_highest_first_and_a_batch_is_a_list_of_lists() -> None:
    writer = ReplyWriter(["bad", 'go"od', "so so"], "1")
    made = prediction([[0.0, 2.0, 1.0], [5.0, 0.0, 0.0]])
    first, second = json.loads(writer.body(made, batch=True, raw_scores=True))
    assert first == [
        {"label": 'go"od', "score": 2.0},
        {"label": "so so", "score": 1.0},
        {"label": "bad", "score": 0.0},
    ]
    assert [entry["label"] for entry in second] == ["bad", 'go"od', "so so"]


def test_scores_are_probabilities_unless_raw_ones_are_asked_for() -> None:
    writer, made = ReplyWriter(["no", "yes"], "1"), prediction([[0.0, math.log(3.0)]])
    (yes, no) = json.loads(writer.body(made, batch=False, raw_scores=False))
    assert (yes["score"], no["score"]) == pytest.approx((0.75, 0.25))


def test_headers_tell_version_tokens_company_and_cut_texts() -> None:
    made = prediction([[0.0, 1.0], [1.0, 0.0]], truncated=1)
    made.batch_texts = 5
    headers = dict(ReplyWriter(["a", "b"], "2.1").headers(made, 0.0, 1.0))
    assert headers[b"x-model-version"] == b"2.1"
    assert headers[b"x-tokens"] == b"6"
    assert headers[b"x-batch-size"] == b"5"
    assert headers[b"x-truncated"] == b"1"
    whole = dict(ReplyWriter(["a", "b"], "2.1").headers(prediction([[0.0, 1.0]]), 0.0, 1.0))
    assert b"x-truncated" not in whole


def test_server_timing_names_each_stage_and_they_add_up() -> None:
    made = prediction([[0.0, 1.0]])
    made.queued_at, made.sent_at, made.received_at = 10.001, 10.002, 10.0025
    made.started_at, made.finished_at = 10.004, 10.009
    stages = milliseconds(server_timing(10.0, 10.01, made))
    assert stages == pytest.approx(
        {"tokenize": 1.0, "queue": 2.5, "transport": 1.5, "inference": 5.0, "total": 10.0}
    )


def test_a_request_that_never_ran_spent_its_time_before_that() -> None:
    made = prediction([[]])
    made.queued_at = 10.002
    assert milliseconds(server_timing(10.0, 10.01, made)) == pytest.approx(
        {"tokenize": 2.0, "queue": 8.0, "transport": 0.0, "inference": 0.0, "total": 10.0}
    )
    assert milliseconds(server_timing(10.0, 10.01)) == pytest.approx(
        {"tokenize": 10.0, "queue": 0.0, "transport": 0.0, "inference": 0.0, "total": 10.0}
    )
