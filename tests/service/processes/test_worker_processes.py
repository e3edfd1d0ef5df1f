"""Real processes that stand for workers: who is missed, who is launched anew, when to give up."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.process import BaseProcess

import pytest

from service.metrics import Metrics
from service.processes.worker_processes import WorkerProcesses
from service.settings import read_settings
from service.worker_health import WorkerHealth
from tests.e2e.running_service import wait_until

CONTEXT = multiprocessing.get_context("fork")


class Workers:
    """Two workers that do nothing, and what looks after them."""

    def __init__(self, *settings: str) -> None:
        self.started: list[BaseProcess] = []
        self.refusal: OSError | None = None
        self.ready, self.say_ready = multiprocessing.Pipe(duplex=False)
        self.health = WorkerHealth(2)
        self.metrics = Metrics(["a", "b"], 1, {})
        self.processes = [self.launch(number) for number in range(2)]
        self.looked_after = WorkerProcesses(
            read_settings(list(settings)),
            2,
            self.launch,
            self.ready,
            self.health,
            self.metrics.row(0),
        )

    def launch(self, number: int) -> BaseProcess:
        if self.refusal is not None:
            raise self.refusal
        process = CONTEXT.Process(target=threading.Event().wait, name=f"worker {number}")
        process.start()
        self.started.append(process)
        return process

    @property
    def pids(self) -> list[int | None]:
        return [process.pid for process in self.processes]

    def say(self, number: int, pid: int | None) -> None:
        assert pid is not None
        self.say_ready.send_bytes(b"%d %d" % (number, pid))

    def kill(self, number: int) -> None:
        pid = self.processes[number].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.processes[number].join()

    def look(self, service_started: bool = True) -> str | None:
        return self.looked_after.look(self.processes, service_started)

    @property
    def restarts(self) -> float:
        return self.metrics.total(self.metrics.slots["worker_restarts"])


@pytest.fixture
def workers(request: pytest.FixtureRequest) -> Iterator[Workers]:
    made = Workers(*getattr(request, "param", []))
    yield made
    for process in made.started:
        process.kill()
        process.join()


def test_whoever_was_ready_is_replaced_at_once(workers: Workers) -> None:
    for number, pid in enumerate(workers.pids):
        workers.say(number, pid)
    before = workers.pids
    assert workers.look() is None
    assert (workers.pids, workers.restarts) == (before, 0)
    workers.kill(1)
    assert workers.look() is None
    assert workers.pids[0] == before[0]
    assert workers.pids[1] not in before
    assert workers.restarts == 1


def test_a_worker_lost_before_the_service_has_started_is_a_reason_to_end(workers: Workers) -> None:
    assert workers.look(service_started=False) is None
    workers.kill(0)
    assert workers.look(service_started=False) == "worker 0 died while the service was starting"


def test_a_worker_that_keeps_failing_is_reported_until_it_is_ready(workers: Workers) -> None:
    workers.say(1, workers.pids[1])

    def relaunched() -> bool:
        before = workers.pids[0]
        return workers.look() is None and workers.pids[0] != before

    failing = []
    for _ in range(2):
        workers.kill(0)
        wait_until(relaunched, "another is launched")
        failing.append(workers.health.any_fails)
    assert failing == [False, True]
    assert not workers.health.all_fail
    workers.say(0, workers.pids[0])
    workers.look()
    assert not workers.health.any_fails


def test_what_a_worker_before_it_said_does_not_count(workers: Workers) -> None:
    for number, pid in enumerate(workers.pids):
        workers.say(number, pid)
    workers.look()
    gone = workers.pids[0]
    workers.kill(0)
    workers.look()
    workers.say(0, gone)
    workers.look()
    before = workers.pids[0]
    workers.kill(0)
    workers.look()
    assert workers.pids[0] == before  # its start failed, so that there is a pause
    wait_until(lambda: workers.look() is None and workers.pids[0] != before, "the pause ends")


@pytest.mark.parametrize("workers", [["--start-seconds", "1"]], indirect=True)
def test_a_worker_that_is_not_ready_in_time_is_killed_and_replaced(workers: Workers) -> None:
    workers.say(1, workers.pids[1])
    (slow, quick), process = workers.pids, workers.processes[0]
    wait_until(lambda: workers.look() is None and workers.pids[0] != slow, "it is replaced")
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert workers.pids[1] == quick


@pytest.mark.parametrize("workers", [["--no-worker-seconds", "1"]], indirect=True)
def test_too_long_without_any_worker_is_a_reason_to_end(workers: Workers) -> None:
    workers.say(0, workers.pids[0])
    workers.refusal = BlockingIOError(11, "Resource temporarily unavailable")
    assert workers.look() is None
    workers.kill(1)
    wait_until(lambda: workers.look() is None and workers.health.any_fails, "one is failing")
    workers.kill(0)
    wait_until(lambda: workers.look() == "no worker was ready for 1 s", "the limit is reached")
    assert len(workers.started) == 2
