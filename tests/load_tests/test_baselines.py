"""One short comparison on real servers, and the table that is made of a results file."""

import json
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from load_tests.comparison_table import comparison_table
from load_tests.server_process import ServerError, ServerProcess
from tests.load_tests.command import MARK, load_tests


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    output = tmp_path_factory.mktemp("comparison") / "results.json"
    done = load_tests(
        *("baselines", "--rounds", "1", "--seconds", "0.3", "--precisions", "int8"),
        *("--loads", "short:2,mixed:4", "--baselines", "fastapi", "--output", str(output)),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(output.read_text()), done.stdout


def test_every_server_is_measured_under_every_load(comparison: tuple[dict[str, Any], str]) -> None:
    results, _ = comparison
    measured = {(row["server"], row.get("mix")) for row in results["measurements"]}
    servers = ("service", "fastapi", "echo")
    assert measured == {(server, mix) for server in servers for mix in ("short", "mixed")}
    assert all(row["requests_per_second"] > 0 for row in results["measurements"])


def test_the_bare_backend_is_measured_beside_them(comparison: tuple[dict[str, Any], str]) -> None:
    results, _ = comparison
    assert all(row["texts_per_second"] > 0 for row in results["ceilings"])
    assert all(0 <= row["padding_ratio"] < 0.15 for row in results["ceilings"])


def test_a_comparison_leaves_no_process(comparison: tuple[dict[str, Any], str]) -> None:
    for process in psutil.process_iter():
        try:
            assert MARK not in process.environ().items()
        except (psutil.Error, OSError):
            continue


def test_the_table_shows_each_server_with_its_configuration(
    comparison: tuple[dict[str, Any], str],
) -> None:
    results, printed = comparison
    assert printed.strip() == comparison_table(results).strip()
    for server in results["servers"]:
        assert f"| {server['name']} |" in printed or f"| **{server['name']}** |" in printed
        assert server["configuration"] in printed


def test_refused_requests_are_no_throughput_and_a_missing_baseline_is_named(
    comparison: tuple[dict[str, Any], str],
) -> None:
    results = json.loads(json.dumps(comparison[0]))
    results["servers"].append(
        {"name": "mosec-1", "framework": "Mosec", "configuration": "x", "missing": "no such wheel"}
    )
    for row in results["measurements"]:
        row["refused"] = row["requests_per_second"] * results["options"]["seconds"]
    table = comparison_table(results)
    assert "mosec-1: left out: no such wheel" in table
    assert "| 50.0 |" in table


@pytest.mark.parametrize(
    ("command", "option", "problem"),
    [
        ("baselines", "--loads=medium:3", "'medium:3' is not a load such as mixed:64"),
        ("peers", "--precisions=int3", "'int3' is not a precision: fp32 or int8"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(
    command: str, option: str, problem: str
) -> None:
    done = load_tests(command, option)
    assert done.returncode == 2
    assert done.stderr.strip().endswith(problem)


def test_a_server_that_ends_early_is_reported_with_its_last_words() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no luck today')"]
    with (
        pytest.raises(ServerError, match="no luck today"),
        ServerProcess(command, {}, ready=lambda: False),
    ):
        pass


def test_a_stopped_server_takes_its_detached_children_along(tmp_path: Path) -> None:
    marker = tmp_path / "child"
    program = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)'],"
        " start_new_session=True)\n"
        f"pathlib.Path({str(marker)!r}).write_text(str(child.pid))\n"
        "time.sleep(100)\n"
    )
    ready = lambda: marker.exists() and bool(marker.read_text())  # noqa: E731
    with ServerProcess([sys.executable, "-c", program], {}, ready):
        pid = int(marker.read_text())
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
