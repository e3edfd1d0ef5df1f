"""A real Prometheus scrapes the running service; rules and dashboard find their data there."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.prometheus import Prometheus, running_prometheus
from tests.e2e.running_service import RunningService, wait_until

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/sentiment.json").read_text())
VARIABLES = {"$job": "sentiment", "$instance": ".+", "$__rate_interval": "1m"}


def queries() -> Iterator[Any]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            name = f"{panel['title']} {target['refId']}"
            yield pytest.param(target["expr"], id=name)


@pytest.fixture(scope="module")
def prometheus(
    service: RunningService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """A Prometheus that has seen predictions, long and short, and a refusal come in."""
    with running_prometheus(service, tmp_path_factory.mktemp("prometheus")) as running:
        scraped = 'sentiment_predictions_total{job="sentiment"}'
        wait_until(lambda: bool(running.query(scraped)), "the service is scraped")
        before = sum(float(series["value"][1]) for series in running.query(scraped))

        def load_has_arrived() -> bool:
            service.predict("A lovely film.")
            service.predict(["Dreadful.", "Not a minute too long, and not one too short. " * 8])
            service.predict("")
            rate = running.query(
                'sum(rate(sentiment_batch_padding_ratio_count{job="sentiment"}[1m]))'
            )
            now = sum(float(series["value"][1]) for series in running.query(scraped))
            return now > before and bool(rate) and float(rate[0]["value"][1]) > 0

        wait_until(load_has_arrived, "what was asked has been scraped")
        yield running


def test_the_target_is_up(prometheus: Prometheus) -> None:
    (target,) = prometheus.targets()
    assert (target["health"], target["lastError"]) == ("up", "")


def test_every_rule_evaluates(prometheus: Prometheus) -> None:
    def all_evaluated() -> bool:
        return all(rule["health"] != "unknown" for rule in prometheus.rules())

    wait_until(all_evaluated, "every rule was evaluated")
    assert [rule["lastError"] for rule in prometheus.rules() if rule["health"] != "ok"] == []
    firing = [rule["name"] for rule in prometheus.rules() if rule.get("state") == "firing"]
    assert "SentimentDown" not in firing


@pytest.mark.parametrize(
    "record",
    [
        *("sentiment:errors:ratio_rate5m", "sentiment:slow:ratio_rate1h"),
        *("sentiment:predictions:share7d", "sentiment:text_tokens:mean1h"),
    ],
)
def test_records_have_data(prometheus: Prometheus, record: str) -> None:
    wait_until(lambda: bool(prometheus.query(record)), f"{record} has data")


@pytest.mark.parametrize("expression", list(queries()))
def test_every_query_of_the_dashboard_has_data(prometheus: Prometheus, expression: str) -> None:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression

    def has_data() -> bool:
        values = [float(series["value"][1]) for series in prometheus.query(expression)]
        return any(math.isfinite(value) for value in values)

    wait_until(has_data, expression, 10.0)


def test_the_dashboard_covers_what_the_service_exports(service: RunningService) -> None:
    expressions = " ".join(
        target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])
    )
    lines = service.client.get("/metrics").text.split("\n")
    families = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {family for family in families if family not in expressions} == set()
