"""A service that was asked for the packed kernel."""

from collections.abc import Iterator

import pytest

from tests.e2e.running_service import RunningService, running_service

TEXTS = ["good", "a waste of time", "Not bad at all!", "The film was much longer than I had hoped."]
BATCH = [f"{text} {'and so on ' * i}" for i in range(8) for text in TEXTS]


@pytest.fixture(scope="module", params=["packed", "packed-int8"])
def service(request: pytest.FixtureRequest) -> Iterator[RunningService]:
    with running_service(backend=request.param) as service:
        yield service


def test_a_text_has_the_same_bytes_alone_and_in_a_batch(service: RunningService) -> None:
    together = service.predict(BATCH).json()
    assert len(together) == 32
    assert together == [service.predict([text]).json()[0] for text in BATCH]


def test_the_service_says_which_backend_serves(service: RunningService) -> None:
    workers = service.client.get("/info").json()["workers"]
    assert {worker["backend"] for worker in workers} <= {"packed", "packed-int8"}
    assert all(worker["reason"].startswith("requested; golden answers") for worker in workers)
