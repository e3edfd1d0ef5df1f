"""The rules say what they should about series made up, and hold on the running service."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.system_tool import system_tool

HERE = Path(__file__).parent
CONFIGURATION = HERE.parents[1] / "deploy" / "prometheus"


def promtool(*arguments: str | Path) -> str:
    command = [system_tool("promtool"), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_configuration_and_rules_are_valid() -> None:
    assert "SUCCESS" in promtool("check", "config", CONFIGURATION / "prometheus.yml")
    rules = sorted((CONFIGURATION / "rules").glob("*.yml"))
    assert len(rules) == 2
    promtool("check", "rules", *rules)


@pytest.mark.parametrize("cases", ["alerts_within_hours.yml", "alerts_within_days.yml"])
def test_alerts_fire_where_they_should_and_nowhere_else(cases: str) -> None:
    promtool("test", "rules", HERE / cases)


def test_every_alert_is_tried_firing_and_quiet() -> None:
    alerts = (CONFIGURATION / "rules" / "alerts.yml").read_text()
    cases = "".join(path.read_text() for path in HERE.glob("alerts_within_*.yml"))
    for line in alerts.split("\n"):
        _, marker, alert = line.partition("- alert: ")
        if marker:
            assert f"alertname: {alert}\n        exp_alerts:\n          - exp_labels" in cases, (
                alert
            )
            assert f"alertname: {alert}, exp_alerts: []" in cases, alert
