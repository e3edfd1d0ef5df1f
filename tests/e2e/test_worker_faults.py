"""Workers that die or hang under load: nothing is lost, nothing is answered wrongly."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.e2e.load import Load, same, scores
from tests.e2e.running_service import RunningService, assert_all_end, running_service, wait_until

LONG = 120_000  # ms: what a deadline must be for a slow machine never to reach it


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with running_service(workers=2, timeout_ms=LONG) as running:
        yield running


def test_killing_workers_again_and_again_loses_no_request(service: RunningService) -> None:
    with Load(service) as load:
        for victims in ((0, 1), (1,), (0,)):
            load.wait_for_everyone(2)
            pids = service.worker_pids()
            for victim in victims:
                os.kill(pids[victim], signal.SIGKILL)
            load.wait_for_everyone(2)
            wait_until(lambda: service.metric("sentiment_workers_ready") == 2, "both are back")
    assert service.metric("sentiment_worker_restarts_total") == 4
    assert set(load.codes) == {200}
    assert (load.wrong, load.lost) == ([], [])


def test_a_client_batch_is_answered_whole_though_its_workers_die(service: RunningService) -> None:
    texts = ["a very long film " * 50, "dreadful", "lovely"] * 20
    expected = service.predict(texts).json()
    with ThreadPoolExecutor() as pool:
        with service.paused_workers():
            answer = pool.submit(service.predict, texts)
            service.wait_for_inflight(1)
            for pid in service.worker_pids():
                os.kill(pid, signal.SIGKILL)
        got = answer.result(120.0).json()
    for row, expected_row in zip(got, expected, strict=True):
        assert same(scores(row), scores(expected_row))


def test_a_worker_that_hangs_is_replaced_even_if_its_clients_give_up_early() -> None:
    with running_service(workers=1, timeout_ms=LONG) as service:
        pid = service.worker_pids()[0]
        with Load(service, clients=4, timeout_ms=300) as hasty, Load(service, clients=2) as patient:
            hasty.wait_for_everyone(2)
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: not psutil.pid_exists(pid), "the hung worker is gone", 60.0)
            answered = hasty.codes[200]
            wait_until(lambda: hasty.codes[200] > answered, "another one answers", 60.0)
            patient.wait_for_everyone(2)
        assert service.metric("sentiment_worker_restarts_total") == 1
        assert "makes no progress and is replaced" in service.log
    assert set(patient.codes) == {200}
    assert set(hasty.codes) <= {200, 504, 429}
    assert (patient.wrong, patient.lost) == ([], [])
    assert (hasty.wrong, hasty.lost) == ([], [])


def test_a_worker_that_dies_during_the_start_ends_the_service() -> None:
    with running_service(wait=False, workers=2) as service:
        wait_until(lambda: len(service.workers()) == 2, "the workers start")
        everyone = service.processes()
        service.workers()[1].kill()
        assert service.wait_for_end() == 1
        assert_all_end(everyone)
        assert "a worker died while the service was starting" in service.log
        assert "Traceback" not in service.log


def test_several_api_processes_and_workers_answer_together() -> None:
    with running_service(api_servers=2, workers=2, timeout_ms=LONG) as service:
        with Load(service) as load:
            load.wait_for_everyone(2)
            os.kill(service.worker_pids()[0], signal.SIGKILL)
            load.wait_for_everyone(2)
        assert set(load.codes) == {200}
        assert (load.wrong, load.lost) == ([], [])
        counted = service.metric('sentiment_requests_total{code="200",route="/predict"}')
        assert counted == load.codes[200] + 4  # the load asked for what to expect first
