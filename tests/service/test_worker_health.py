import os

import pytest

from service.worker_health import WorkerHealth


@pytest.mark.parametrize(
    ("failing", "any_fails", "all_fail"),
    [((False, False), False, False), ((False, True), True, False), ((True, True), True, True)],
)
def test_what_one_process_reports_another_sees(
    failing: tuple[bool, ...], any_fails: bool, all_fail: bool
) -> None:
    health = WorkerHealth(len(failing))
    health.report(0, True)
    child = os.fork()
    if child == 0:
        for worker_id, fails in enumerate(failing):
            health.report(worker_id, fails)
        os._exit(0)
    os.waitpid(child, 0)
    assert (health.any_fails, health.all_fail) == (any_fails, all_fail)
