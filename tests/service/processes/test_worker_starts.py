from service.processes.worker_starts import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    WorkerStarts,
)

LIMIT = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(starts: WorkerStarts, times: int) -> list[float]:
    """The pause after each of so many starts that fail."""
    pauses = []
    for _ in range(times):
        starts.launched(0)
        pauses.append(starts.lost(0))
    return pauses


def test_a_worker_that_is_ready_is_never_overdue() -> None:
    clock = Clock()
    starts = WorkerStarts(1, LIMIT, clock)
    starts.said_ready(0)
    clock.now += LIMIT + 1
    assert not starts.overdue(0)
    assert starts.any_ready


def test_a_start_is_overdue_when_its_time_is_up() -> None:
    clock = Clock()
    starts = WorkerStarts(2, LIMIT, clock)
    clock.now += LIMIT - 1
    starts.launched(1)
    assert not starts.overdue(0)
    clock.now += 1
    assert starts.overdue(0)
    assert not starts.overdue(1)
    assert not starts.any_ready


def test_a_worker_that_was_ready_is_due_at_once() -> None:
    starts = WorkerStarts(1, LIMIT, Clock())
    starts.said_ready(0)
    assert starts.lost(0) == 0.0
    assert starts.due(0)
    assert not starts.failing(0)


def test_the_pause_doubles_with_each_start_that_fails_up_to_a_bound() -> None:
    starts = WorkerStarts(1, LIMIT, Clock())
    starts.said_ready(0)
    starts.lost(0)
    pauses = fail(starts, 40)
    assert pauses[:3] == [FIRST_PAUSE_SECONDS, 2 * FIRST_PAUSE_SECONDS, 4 * FIRST_PAUSE_SECONDS]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_nothing_is_due_or_overdue_in_a_pause() -> None:
    clock = Clock()
    starts = WorkerStarts(1, LIMIT, clock)
    (pause_seconds,) = fail(starts, 1)
    assert starts.pausing(0)
    assert not starts.due(0)
    clock.now += pause_seconds
    assert starts.due(0)
    clock.now += LIMIT
    assert not starts.overdue(0)


def test_a_worker_keeps_failing_from_its_second_failed_start_until_one_succeeds() -> None:
    starts = WorkerStarts(1, LIMIT, Clock())
    fail(starts, 1)
    assert not starts.failing(0)
    fail(starts, 1)
    assert starts.failing(0)
    starts.launched(0)
    assert starts.failing(0)
    starts.said_ready(0)
    assert not starts.failing(0)
    assert starts.lost(0) == 0.0
