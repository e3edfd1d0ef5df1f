"""Workers that die or hang under load: nothing is lost, nothing is answered wrongly."""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.e2e.hanging.hanging_api import HANGING_START, STARTS_FILE
from tests.e2e.load import Load, same, scores
from tests.e2e.running_service import RunningService, assert_all_end, running_service, wait_until

LONG = 120_000  # ms: what a deadline must be for a slow machine never to reach it
HANGING = [sys.executable, "-m", "tests.e2e.hanging"]


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


def test_a_worker_that_hangs_while_it_is_started_anew_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STARTS_FILE, str(tmp_path / "starts"))
    monkeypatch.setenv(HANGING_START, "2")
    # Long enough for the starts that do not hang, on a busy machine too.
    with running_service(command=HANGING, workers=1, timeout_ms=LONG, start_seconds=12) as service:
        expected = scores(service.predict("lovely").json())
        os.kill(service.worker_pids()[0], signal.SIGKILL)
        assert same(scores(service.predict("lovely").json()), expected)
        assert service.metric("sentiment_worker_restarts_total") == 2
        assert "worker 0 was not ready within 12 s and is started anew" in service.log


def test_a_worker_that_hangs_at_the_start_of_the_service_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STARTS_FILE, str(tmp_path / "starts"))
    monkeypatch.setenv(HANGING_START, "1")
    with running_service(wait=False, command=HANGING, workers=1, start_seconds=1) as service:
        everyone = service.processes()
        assert service.wait_for_end() == 1
        assert_all_end(everyone)
        sentence = "worker 0 was not ready within 1 s while the service was starting"
        assert f"{sentence}; the service ends" in service.log
        assert "Traceback" not in service.log


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
        assert "worker 1 died while the service was starting" in service.log
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
