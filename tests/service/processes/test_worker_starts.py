from pathlib import Path

from service.processes.worker_starts import WorkerStarts
from service.worker.inference_loop import socket_path
from service.worker.start_backoff import FIRST_SECONDS, StartBackoff

LIMIT = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_that_has_said_hello_is_never_overdue(tmp_path: Path) -> None:
    clock = Clock()
    starts = WorkerStarts(tmp_path, 0, LIMIT, clock)
    starts.begin(0)
    StartBackoff.of(tmp_path, 0).begin()
    socket_path(tmp_path, 0).touch()
    StartBackoff.of(tmp_path, 0).succeed()
    clock.now += LIMIT + 1
    assert not starts.overdue(0)
    assert not starts.overdue(1)  # was never begun


def test_a_start_is_overdue_once_when_its_time_is_up(tmp_path: Path) -> None:
    clock = Clock()
    starts = WorkerStarts(tmp_path, 0, LIMIT, clock)
    starts.begin(0)
    clock.now += LIMIT - 1
    starts.begin(1)
    assert not starts.overdue(0)
    clock.now += 1
    assert starts.overdue(0)
    assert not starts.overdue(0)
    assert not starts.overdue(1)


def test_the_socket_of_the_worker_before_does_not_count(tmp_path: Path) -> None:
    clock = Clock()
    starts = WorkerStarts(tmp_path, 0, LIMIT, clock)
    socket_path(tmp_path, 0).touch()
    starts.begin(0)
    clock.now += LIMIT
    assert starts.overdue(0)


def test_a_worker_that_listens_but_says_nothing_is_overdue(tmp_path: Path) -> None:
    clock = Clock()
    starts = WorkerStarts(tmp_path, 0, LIMIT, clock)
    starts.begin(0)
    StartBackoff.of(tmp_path, 0).begin()
    socket_path(tmp_path, 0).touch()
    clock.now += LIMIT
    assert starts.overdue(0)


def test_the_wait_after_failed_starts_comes_on_top(tmp_path: Path) -> None:
    clock = Clock()
    starts = WorkerStarts(tmp_path, 0, LIMIT, clock)
    StartBackoff.of(tmp_path, 0).begin()
    starts.begin(0)
    clock.now += LIMIT
    assert not starts.overdue(0)
    clock.now += FIRST_SECONDS
    assert starts.overdue(0)
