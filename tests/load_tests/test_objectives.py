from pathlib import Path

import pytest

from load_tests.objective import SLO_FILE, ObjectiveError, read_objectives
from tests.e2e.running_service import RunningService
from tests.load_tests.command import load_tests

OPEN_LOOP = """
[capacity]
seconds = 0.5
[[open_loop]]
name = "a trickle"
mix = "mixed"
share_of_capacity = 0.1
seconds = 1
p99_ms = {p99_ms}
"""


@pytest.mark.parametrize(("p99_ms", "exit_code"), [("60000", 0), ("0.001", 1)])
def test_a_missed_objective_ends_with_1(
    service: RunningService, tmp_path: Path, p99_ms: str, exit_code: int
) -> None:
    file = tmp_path / "slo.toml"
    file.write_text(OPEN_LOOP.format(p99_ms=p99_ms))
    done = load_tests("slo", "--url", service.url, "--file", str(file))
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert ("MISSED" if exit_code else "met") in done.stdout


def test_the_shipped_objectives_can_be_read() -> None:
    objectives = read_objectives(SLO_FILE)
    assert objectives.open_loop
    assert objectives.users


def test_an_unknown_name_in_the_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "slo.toml"
    file.write_text('[[users]]\nname = "x"\nscenario = "closed"\nclients = 1\nsecond = 1\n')
    with pytest.raises(ObjectiveError, match=r"slo\.toml: users\.0\.seconds: Field required"):
        read_objectives(file)
