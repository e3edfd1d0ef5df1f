"""Rows of shared memory add up to what a scrape says."""

from service.metrics import Metrics

BUILD = {"version": "1", "model": "2"}


def lines(metrics: Metrics) -> list[str]:
    return metrics.exposition().decode().split("\n")


def test_rows_add_up() -> None:
    metrics = Metrics(["bad", "good"], 2, BUILD)
    for row in (metrics.row(0), metrics.row(1)):
        row.count_request("/predict", 200)
        row.observe("batch_size", 2)
        row.observe("batch_size", 1000)
        row.set("queue_depth", 3)
        row.set("workers_ready", 4)
    found = lines(metrics)
    assert 'sentiment_requests_total{code="200",route="/predict"} 2.0' in found
    assert 'sentiment_batch_size_bucket{le="1.0"} 0.0' in found
    assert 'sentiment_batch_size_bucket{le="2.0"} 2.0' in found
    assert 'sentiment_batch_size_bucket{le="+Inf"} 4.0' in found
    assert "sentiment_batch_size_sum 2004.0" in found
    assert "sentiment_queue_depth 6.0" in found
    assert "sentiment_workers_ready 4.0" in found, "every process sees the same workers"


def test_a_code_that_nobody_foresaw_counts_as_an_internal_error() -> None:
    metrics = Metrics(["only"], 1, BUILD)
    metrics.row(0).count_request("/info", 418)
    assert 'sentiment_requests_total{code="500",route="/info"} 1.0' in lines(metrics)


def test_a_silent_service_counts_nothing() -> None:
    silent, fresh = Metrics(["only"], 1, BUILD, counting=False), Metrics(["only"], 1, BUILD)
    row = silent.row(0)
    row.count_request("/predict", 200)
    row.count_rejected("queue_full")
    row.observe("batch_size", 2)
    row.count("tokens")
    row.set("queue_depth", 3)
    assert lines(silent) == lines(fresh)
