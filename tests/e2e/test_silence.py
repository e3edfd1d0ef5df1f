"""Nothing that is not asked for leaves the machine or stays on it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.system_tool import system_tool
from tests.model_export.opinions import small_configuration, write_configuration, write_opinions

LOOK_UP = """
import contextlib, socket
with contextlib.suppress(OSError):
    socket.getaddrinfo("telemetry.example", 443)
"""
SERVE = """
from tests.e2e.running_service import running_service
with running_service() as service:
    assert service.predict("A lovely film.").status_code == 200
"""


def run_in_closed_network(home: Path, *command: object) -> list[str]:
    """The packets that a command tried to send to anybody but this machine."""
    closed_network = [system_tool("unshare"), "--net", "--mount", sys.executable, "-m"]
    system_tool("ip")
    home.mkdir()
    done = subprocess.run(
        [*closed_network, "tests.e2e.closed_network", home, *map(str, command)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=240,
    )
    report = json.loads(done.stdout)
    assert report["code"] == 0
    return list(report["packets"])


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if not path.is_dir()]


def test_a_look_up_would_be_seen(tmp_path: Path) -> None:
    assert run_in_closed_network(tmp_path / "home", sys.executable, "-c", LOOK_UP)


def test_serving_sends_nothing_out_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert run_in_closed_network(home, sys.executable, "-c", SERVE) == []
    assert files_below(home) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("silence")
    write_opinions(directory / "data")
    training = small_configuration().training.model_dump() | {"epochs": 1}
    write_configuration(directory / "mine.toml", small_configuration(training=training))
    return directory


def test_training_and_export_send_nothing_out_and_leave_nothing_at_home(trained: Path) -> None:
    run, home = trained / "run", trained / "home"
    train = ["train", "--config", trained / "mine.toml", "--data", trained / "data", "--run", run]
    export = ["export", "--run", run, "--bundle", trained / "bundle"]
    command = "python -m model_export {} && python -m model_export {}".format(
        *(" ".join(map(str, arguments)) for arguments in (train, export))
    ).replace("python", sys.executable)
    assert run_in_closed_network(home, "sh", "-c", command) == []
    assert files_below(home) == []
