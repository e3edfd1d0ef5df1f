"""What happens around a service: its bundle replaced, its directory gone, everything frozen."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from service.settings import SHIPPED_BUNDLE
from tests.e2e.load import Load, same, scores
from tests.e2e.running_service import RunningService, assert_all_end, running_service, wait_until

LONG = 120_000  # ms: what a deadline must be for a slow machine never to reach it
FREEZE_SECONDS = 8.0  # the patience with a worker that makes no progress is 5 s


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(SHIPPED_BUNDLE, tmp_path_factory.mktemp("served") / "bundle"))


@pytest.fixture(scope="module")
def service(bundle: Path) -> Iterator[RunningService]:
    with running_service(workers=2, timeout_ms=LONG, bundle=bundle) as running:
        yield running


def kill_worker(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid), "the worker is gone")


def overwrite(bundle: Path) -> None:
    for file in bundle.iterdir():
        file.write_bytes(b"\0" * file.stat().st_size)


def replace(bundle: Path) -> None:
    bundle.rename(bundle.with_name("before"))
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")


@pytest.mark.parametrize("spoil", [overwrite, replace, shutil.rmtree])
def test_a_worker_comes_back_with_the_bytes_of_the_start_whatever_became_of_the_bundle(
    service: RunningService, bundle: Path, spoil: object
) -> None:
    expected = [scores(service.predict(text).json()) for text in ("lovely", "dreadful")]
    digest = service.client.get("/info").json()["model"]["digest"]
    assert callable(spoil)
    spoil(bundle)
    for pid in service.worker_pids():
        kill_worker(pid)
        wait_until(lambda: service.metric("sentiment_workers_ready") == 2, "it is back")
    got = [scores(service.predict(text).json()) for text in ("lovely", "dreadful")]
    assert all(same(mine, first) for mine, first in zip(got, expected, strict=True))
    assert service.client.get("/info").json()["model"]["digest"] == digest
    assert service.ready


def test_a_freeze_of_everything_costs_no_worker_and_no_answer(service: RunningService) -> None:
    restarts = service.metric("sentiment_worker_restarts_total")
    with Load(service) as load:
        load.wait_for_everyone(2)
        os.killpg(service.process.pid, signal.SIGSTOP)
        time.sleep(FREEZE_SECONDS)
        os.killpg(service.process.pid, signal.SIGCONT)
        load.wait_for_everyone(3)
    assert set(load.codes) == {200}
    assert (load.wrong, load.lost) == ([], [])
    assert service.metric("sentiment_worker_restarts_total") == restarts
    assert "makes no progress" not in service.log


def test_a_hangup_changes_nothing(service: RunningService) -> None:
    everyone = service.processes()
    with Load(service) as load:
        load.wait_for_everyone(2)
        for process in everyone:
            process.send_signal(signal.SIGHUP)
        load.wait_for_everyone(3)
    assert set(load.codes) == {200}
    assert (load.wrong, load.lost) == ([], [])
    assert service.processes() == everyone


def test_while_workers_can_not_come_back_the_service_says_so_and_then_recovers(
    tmp_path: Path,
) -> None:
    with running_service(workers=2, timeout_ms=LONG, socket_directory=tmp_path) as service:
        expected = scores(service.predict("lovely").json())
        (directory,) = tmp_path.iterdir()
        shutil.rmtree(directory)
        kill_worker(service.worker_pids()[0])
        wait_until(lambda: not service.ready, "one of two fails to start: not ready")
        assert same(scores(service.predict("lovely").json()), expected)
        kill_worker(service.worker_pids()[0])
        # The first waits for a worker until it is known that none comes. The deadline is far off.
        for _ in range(2):
            refusal = service.predict("lovely")
            assert refusal.status_code == 503
            assert refusal.json()["error_type"] == "unavailable"
            assert refusal.json()["error"] == "no worker can be started"
        assert service.client.get("/readyz").status_code == 503
        wait_until(lambda: "is started anew in 1 s" in service.log, "the pauses grow")
        assert "can't be made: No such file or directory" in service.log
        directory.mkdir(mode=0o700)
        wait_until(lambda: service.ready, "it recovers", 60.0)
        assert same(scores(service.predict("lovely").json()), expected)
        assert "Traceback" not in service.log


def test_a_service_without_workers_ends_as_failed_after_a_bounded_time(tmp_path: Path) -> None:
    with running_service(
        workers=1, timeout_ms=LONG, socket_directory=tmp_path, no_worker_seconds=3
    ) as service:
        everyone = service.processes()
        shutil.rmtree(next(tmp_path.iterdir()))
        kill_worker(service.worker_pids()[0])
        assert service.wait_for_end() == 1
        assert_all_end(everyone)
        assert "no worker was ready for 3 s; the service ends" in service.log
