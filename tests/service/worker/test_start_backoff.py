from pathlib import Path

from service.worker.start_backoff import FIRST_SECONDS, LONGEST_SECONDS, StartBackoff


def pauses(path: Path, starts: int) -> list[float]:
    """What a worker waits before each of so many starts that all fail."""
    slept: list[float] = []
    for _ in range(starts):
        before = len(slept)
        StartBackoff(path, sleep=slept.append).begin()
        if len(slept) == before:
            slept.append(0.0)
    return slept


def test_the_first_start_waits_for_nothing_and_each_failure_doubles_the_wait(
    tmp_path: Path,
) -> None:
    first, second, third, fourth = pauses(tmp_path / "starts", 4)
    assert (first, second, third, fourth) == (
        0.0,
        FIRST_SECONDS,
        2 * FIRST_SECONDS,
        4 * FIRST_SECONDS,
    )


def test_the_wait_has_a_bound(tmp_path: Path) -> None:
    assert pauses(tmp_path / "starts", 40)[-1] == LONGEST_SECONDS


def test_a_start_that_succeeds_wipes_the_slate(tmp_path: Path) -> None:
    path = tmp_path / "starts"
    pauses(path, 3)
    StartBackoff(path).succeed()
    assert pauses(path, 1) == [0.0]


def test_succeeding_twice_is_no_error(tmp_path: Path) -> None:
    StartBackoff(tmp_path / "starts").succeed()
    StartBackoff(tmp_path / "starts").succeed()
