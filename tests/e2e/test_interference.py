"""Batching changes no answer, and the stages of an answer add up."""

import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.e2e.load import same, scores
from tests.e2e.running_service import RunningService

WORDS = ["lovely", "dreadful", "film", "not", "a", "minute", "too", "long", "naïve", "🙂", "!"]
texts = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from(WORDS), st.integers(1, 150)).map(
        lambda pair: f"{pair[0]} {pair[1]} " * pair[2]
    ),
    min_size=1,
    max_size=16,
)


@settings(max_examples=15)
@given(texts)
def test_scores_alone_and_in_any_batch_agree(service: RunningService, batch: list[str]) -> None:
    together = service.predict(batch).json()
    with ThreadPoolExecutor(8) as pool:  # in whatever micro-batches they meet
        at_once = list(
            pool.map(
                lambda text: httpx.post(f"{service.url}/predict", json={"inputs": text}), batch
            )
        )
    for text, row, concurrent in zip(batch, together, at_once, strict=True):
        alone = scores(service.predict(text).json())
        assert same(scores(row), alone)
        assert same(scores(concurrent.json()), alone)


@pytest.mark.parametrize("inputs", ["short", "long " * 2000, ["one", "two " * 300, "three"]])
def test_the_stages_of_server_timing_add_up(service: RunningService, inputs: object) -> None:
    for _ in range(5):
        timing = service.predict(inputs).headers["server-timing"]
        stages = {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([0-9.]+)", timing)}
        total = stages.pop("total")
        assert list(stages) == ["tokenize", "queue", "transport", "inference"]
        assert abs(sum(stages.values()) - total) <= max(0.05 * total, 0.05)
        assert stages["inference"] > 0
