"""Locust's users against the real service: what they check is what they get."""

import json

import pytest

from tests.e2e.running_service import RunningService
from tests.load_tests.command import load_tests

KINDS = {
    "closed": {
        *("short", "long", "mixed", "client batch", "bad input", "slow reader", "disconnect")
    },
    "poisson": {"short", "long"},
}


@pytest.mark.parametrize("scenario", KINDS)
def test_users_find_nothing_wrong_and_metrics_count_what_they_saw(
    service: RunningService, scenario: str
) -> None:
    done = load_tests(
        *("run", scenario, "--url", service.url, "--seconds", "2", "--clients", "15"),
        *("--rate", "20", "--processes", "2"),
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    kinds = {kind["name"] for kind in summary["kinds"]}
    assert kinds == KINDS[scenario]
    assert summary["counts"]["code 200"] > 0
    assert summary["failures"] == 0


def test_only_this_machine_is_ever_loaded() -> None:
    done = load_tests("run", "closed", "--url", "http://example.org:80")
    assert done.returncode == 2
    assert "must be http://127.0.0.1:PORT" in done.stderr
