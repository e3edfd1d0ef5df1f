"""What metrics cost is measured on two services, one of which counts."""

import json
import subprocess
import sys

from tests.e2e.system_tool import system_tool


def test_both_services_are_measured_by_turns() -> None:
    system_tool("wrk")
    command = [sys.executable, "-m", "load_tests", "metrics-cost", "--clients", "4"]
    result = subprocess.run(
        [*command, "--seconds", "1", "--rounds", "1"], capture_output=True, text=True, timeout=200
    )
    assert result.returncode == 0, result.stderr
    *runs, report = result.stdout.strip().split("\n")
    assert [line.split()[:2] for line in runs] == [["metrics", "off"], ["metrics", "on"]]
    measured = json.loads(report)
    assert measured["requests_per_second_with"] > 0
    assert measured["requests_per_second_without"] > 0
