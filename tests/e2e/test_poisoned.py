"""A text that breaks the backend harms nobody but itself."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.load import same, scores
from tests.e2e.poisoned.poisoned_api import KILLS, NOT_A_NUMBER, RAISES
from tests.e2e.running_service import RunningService, running_service

# Between the poisoned lengths, so that they are cut into the same micro-batch.
NEIGHBOURS = [RAISES - 1, RAISES + 1, RAISES + 1, KILLS - 1, KILLS + 1]


@pytest.fixture(scope="module", params=[1, 2], ids=["1 API process", "2 API processes"])
def poisoned(request: pytest.FixtureRequest) -> Iterator[RunningService]:
    command = [sys.executable, "-m", "tests.e2e.poisoned"]
    with running_service(
        command=command, workers=1, api_servers=request.param, timeout_ms=120_000
    ) as running:
        yield running


def text_of(service: RunningService, tokens: int) -> str:
    """A text of exactly so many tokens."""
    unit = " film"
    text = (unit * tokens).strip()
    got = service.client.post("/tokenize", json={"inputs": text}).json()[0]
    assert len(got) == tokens
    return text


def ask(service: RunningService, inputs: object) -> httpx.Response:
    return httpx.post(f"{service.url}/predict", json={"inputs": inputs}, timeout=120.0)


@pytest.mark.parametrize("poison", [RAISES, NOT_A_NUMBER, KILLS])
def test_only_the_poisoned_text_is_refused(poisoned: RunningService, poison: int) -> None:
    lengths = [*NEIGHBOURS, poison, *NEIGHBOURS]
    texts = {length: text_of(poisoned, length) for length in lengths}
    expected = {length: scores(ask(poisoned, texts[length]).json()) for length in NEIGHBOURS}
    with ThreadPoolExecutor(len(lengths)) as pool:
        with poisoned.paused_workers():
            answers = [pool.submit(ask, poisoned, texts[length]) for length in lengths]
            poisoned.wait_for_inflight(len(lengths))
        for length, answer in zip(lengths, answers, strict=True):
            response = answer.result()
            if length == poison:
                assert response.status_code == 500
                assert response.json()["error_type"] == "internal"
                assert response.json()["error"].startswith("inputs[0]: ")
            else:
                assert response.status_code == 200
                assert same(scores(response.json()), expected[length])


def test_a_client_batch_is_refused_by_the_index_of_the_poisoned_text(
    poisoned: RunningService,
) -> None:
    texts = [text_of(poisoned, length) for length in (*NEIGHBOURS, RAISES, *NEIGHBOURS)]
    response = ask(poisoned, texts)
    assert response.status_code == 500
    assert response.json()["error"].startswith(f"inputs[{len(NEIGHBOURS)}]: ")
    assert "film" not in poisoned.log
    for line in poisoned.log.splitlines():
        assert "Traceback" not in json.loads(line)["message"]


def test_a_text_that_kills_workers_is_given_up_after_the_second(poisoned: RunningService) -> None:
    before = poisoned.metric("sentiment_worker_restarts_total")
    response = ask(poisoned, [text_of(poisoned, KILLS)])
    assert response.status_code == 500
    assert response.json()["error"] == "inputs[0]: two workers died on this text"
    assert ask(poisoned, "still there").status_code == 200
    assert poisoned.metric("sentiment_worker_restarts_total") == before + 2
