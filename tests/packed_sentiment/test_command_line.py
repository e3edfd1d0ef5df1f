"""The product by its name, run as people run it: ``packed-sentiment COMMAND``."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from packed_sentiment.command import COMMANDS
from service import __version__
from tests.e2e.running_service import running_service

BARE = "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]; "
RUN = "from packed_sentiment.command_line import main; raise SystemExit(main())"


def run(*arguments: str, prelude: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", prelude + RUN, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_help_names_every_command_with_nothing_else_installed() -> None:
    done = run("--help", prelude=BARE)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


def test_the_version_is_the_services() -> None:
    assert run("--version").stdout.strip() == f"packed-sentiment {__version__}"


@pytest.mark.parametrize(("typed", "meant"), [("serv", "serve"), ("trian", "train")])
def test_a_misspelt_command_is_told_its_neighbour(typed: str, meant: str) -> None:
    done = run(typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"did you mean {meant}?" in done.stderr


@pytest.mark.parametrize(
    ("name", "extras"), [("serve", "[cpu]"), ("train", "[cpu,train]"), ("speed", "[cpu,train]")]
)
def test_a_command_whose_extra_is_missing_says_what_to_install(name: str, extras: str) -> None:
    done = run(name, prelude=BARE)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"packed-sentiment{extras}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_leads_to_a_module_that_is_there(name: str) -> None:
    assert importlib.util.find_spec(f"{COMMANDS[name].module}.__main__") is not None


def test_arguments_reach_the_command_as_they_are() -> None:
    done = run("serve", "--port", "80")
    assert done.returncode == 2
    assert "port" in done.stderr


def test_serve_serves() -> None:
    command = [str(Path(sys.executable).with_name("packed-sentiment")), "serve"]
    with running_service(command=command, workers=1) as service:
        assert service.predict("A lovely film.").json()[0]["label"] == "positive"
