import asyncio
import os
import re

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.failure import REASONS
from service.metrics import CODES, GAUGES, HISTOGRAMS, Metrics
from service.prediction import Prediction
from service.route import METRIC_NAMES
from service.wire import BatchFacts


def metrics(rows: int = 3) -> Metrics:
    return Metrics(["bad", "good"], rows, {"version": "1", "model": "2"})


def samples(made: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(made.exposition().decode())
        for sample in family.samples
    }


def value(made: Metrics, name: str, **labels: str) -> float:
    return samples(made)[f"sentiment_{name}", tuple(sorted(labels.items()))]


def test_every_series_is_there_before_anything_has_happened() -> None:
    names = {name for name, _ in samples(metrics())}
    for histogram in HISTOGRAMS:
        assert {f"sentiment_{histogram}_{part}" for part in ("bucket", "sum", "count")} <= names
    assert {f"sentiment_{gauge}" for gauge in GAUGES} <= names
    assert "sentiment_worker_restarts_total" in names
    series = samples(metrics())
    for route in METRIC_NAMES:
        for code in CODES:
            labels = (("code", str(code)), ("route", route))
            assert series["sentiment_requests_total", labels] == 0.0
    for reason in REASONS:
        assert series["sentiment_rejected_total", (("reason", reason),)] == 0.0
    assert series["sentiment_predictions_total", (("label", "good"),)] == 0.0
    assert series["sentiment_build_info", (("model", "2"), ("version", "1"))] == 1.0


def test_the_rows_of_all_processes_add_up() -> None:
    made = metrics()
    for index in range(3):
        made.row(index).count_request("/predict", 200)
        made.row(index).set("queue_depth", 5.0)
        made.row(index).set("workers_ready", 2.0)
    assert value(made, "requests_total", route="/predict", code="200") == 3.0
    assert value(made, "queue_depth") == 15.0
    # Every API process is linked to the same workers.
    assert value(made, "workers_ready") == 2.0


def test_what_a_forked_process_counts_is_seen_by_the_others() -> None:
    made = metrics()
    child = os.fork()
    if child == 0:
        made.row(1).count_rejected("queue_full")
        os._exit(0)
    os.waitpid(child, 0)
    assert value(made, "rejected_total", reason="queue_full") == 1.0


@pytest.mark.parametrize(("seconds", "first_bucket"), [(1e-4, "0.0001"), (1.1e-4, "0.0002")])
def test_a_bucket_holds_what_is_at_most_its_bound(seconds: float, first_bucket: str) -> None:
    made = metrics()
    made.row(0).observe("request_duration_seconds", seconds)
    name = "request_duration_seconds"
    counts = {
        dict(labels)["le"]: count
        for (sample, labels), count in samples(made).items()
        if sample == f"sentiment_{name}_bucket"
    }
    assert min((bound for bound, count in counts.items() if count), key=float) == first_bucket
    assert counts["+Inf"] == value(made, f"{name}_count") == 1.0
    assert value(made, f"{name}_sum") == pytest.approx(seconds)


def test_what_exceeds_every_bound_is_counted_still() -> None:
    made = metrics()
    made.row(0).observe("request_duration_seconds", 99.0)
    assert value(made, "request_duration_seconds_bucket", le="10.0") == 0.0
    assert value(made, "request_duration_seconds_bucket", le="+Inf") == 1.0


def test_a_code_outside_the_fixed_set_does_not_open_a_series() -> None:
    made = metrics()
    made.row(0).count_request("/predict", 418)
    assert value(made, "requests_total", route="/predict", code="500") == 1.0


def test_a_prediction_counts_its_stages_and_the_label_of_every_text() -> None:
    async def make() -> Prediction:
        return Prediction([np.zeros(3, np.int32), np.zeros(4, np.int32)], 0, 1e9, 0.1)

    made, prediction = metrics(), asyncio.run(make())
    prediction.logits = [[0.0, 1.0], [0.5, 2.0]]
    prediction.queued_at, prediction.sent_at, prediction.received_at = 1.0, 2.0, 2.5
    prediction.started_at, prediction.finished_at = 3.0, 5.0
    made.row(0).observe_prediction(prediction, started_at=0.5, ended_at=5.25)
    assert value(made, "predictions_total", label="good") == 2.0
    assert value(made, "request_tokens_sum") == 7.0
    assert value(made, "request_duration_seconds_sum") == 4.75
    assert value(made, "tokenize_duration_seconds_sum") == 0.5
    assert value(made, "queue_duration_seconds_sum") == 1.5
    assert value(made, "transport_duration_seconds_sum") == 0.75


def test_a_forward_pass_counts_its_padding() -> None:
    made = metrics()
    made.row(0).observe_batch(BatchFacts(4, 75, 100, 25, 1.0, 1.5, counts=True))
    assert value(made, "batch_size_sum") == 4.0
    assert value(made, "batch_tokens_sum") == 75.0
    assert value(made, "batch_padding_ratio_sum") == 0.25
    assert value(made, "padding_tokens_total") == 25.0
    assert value(made, "tokens_total") == 75.0
    assert value(made, "inference_duration_seconds_sum") == 0.5


def test_names_follow_prometheus_conventions() -> None:
    for family in text_string_to_metric_families(metrics().exposition().decode()):
        assert re.fullmatch(r"sentiment_[a-z_]+", family.name)
        assert family.documentation.endswith(".") or family.name == "sentiment_build_info"


def test_a_silent_service_counts_nothing() -> None:
    build = {"version": "1", "model": "2"}
    silent = Metrics(["bad", "good"], 1, build, counting=False)
    row = silent.row(0)
    row.count_request("/predict", 200)
    row.count_rejected("queue_full")
    row.observe("batch_size", 2)
    row.count("tokens")
    row.set("queue_depth", 3)
    assert samples(silent) == samples(metrics())
