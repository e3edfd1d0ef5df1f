"""What Prometheus scrapes, counted in plain shared memory.

Every API process has a row of float64 slots, and the main process has one, in memory that is
shared before they are forked. Counting is an addition to a slot (about 0.1 µs); whichever process
is scraped adds the rows up. So counts are exact with any number of processes, survive restarts of
workers, which report with their answers and export nothing, and cost nothing to merge.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from service.failure import REASONS, STATUSES
from service.prediction import Prediction
from service.route import METRIC_NAMES
from service.wire import BatchFacts

SECONDS = (
    *(1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 7e-4, 1e-3, 1.5e-3, 2e-3, 3e-3, 4e-3, 5e-3, 7e-3, 1e-2),
    *(1.5e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
TEXTS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
TOKENS = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
RATIOS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)

HISTOGRAMS: dict[str, tuple[str, tuple[float, ...]]] = {
    "request_duration_seconds": ("From the whole request read to its answer.", SECONDS),
    "tokenize_duration_seconds": ("Parsing and tokenising of a request.", SECONDS),
    "queue_duration_seconds": ("Waiting for a worker, in both processes.", SECONDS),
    "transport_duration_seconds": ("Between the processes, there and back.", SECONDS),
    "inference_duration_seconds": ("Forward pass of a micro-batch.", SECONDS),
    "batch_size": ("Texts of a micro-batch.", TEXTS),
    "batch_tokens": ("Tokens of a micro-batch, without padding.", TOKENS),
    "request_tokens": ("Tokens of a request that was predicted.", TOKENS),
    "batch_padding_ratio": ("Padding executed, of all tokens executed.", RATIOS),
}
CODES = (200, 204, 304, *STATUSES)
COUNTERS = {
    "worker_restarts": "Workers that were started anew.",
    "padding_tokens": "Padding executed, in tokens.",
    "tokens": "Tokens executed, without padding.",
}
GAUGES = {
    "queue_depth": "Texts that wait for a worker.",
    "inflight_requests": "Requests that were read and not yet answered; a scrape is one.",
    "workers_ready": "Workers that can be sent texts.",
    "cost_model_relative_error": "Mean relative error of the predicted cost of a micro-batch.",
}
PREFIX = "sentiment_"


class Metrics:
    """The shared memory and what its slots mean. Made once, before any process is forked."""

    def __init__(
        self, labels: list[str], rows: int, build_info: dict[str, str], counting: bool = True
    ) -> None:
        self.labels = labels
        self.build_info = build_info
        self._row_type = MetricsRow if counting else SilentRow
        self.slots: dict[str, int] = {}
        self._size = 0
        for name, (_, buckets) in HISTOGRAMS.items():
            self._allocate(name, len(buckets) + 2)  # one above the last bound, and the sum
        self._allocate("requests", len(METRIC_NAMES) * len(CODES))
        self._allocate("rejected", len(REASONS))
        self._allocate("predictions", len(labels))
        for name in (*COUNTERS, *GAUGES):
            self._allocate(name, 1)
        self._memory = mmap.mmap(-1, rows * self._size * 8)
        self._slots: memoryview[float] = memoryview(self._memory).cast("d")
        self.rows = rows

    def _allocate(self, name: str, slots: int) -> None:
        self.slots[name] = self._size
        self._size += slots

    def row(self, index: int) -> "MetricsRow":
        return self._row_type(self, self._slots[index * self._size : (index + 1) * self._size])

    def total(self, slot: int) -> float:
        return sum(self._slots[row * self._size + slot] for row in range(self.rows))

    def highest(self, slot: int) -> float:
        return max(self._slots[row * self._size + slot] for row in range(self.rows))

    def exposition(self) -> bytes:
        """The text format of Prometheus, every series present."""
        registry = CollectorRegistry()
        registry.register(_Scrape(self))
        return generate_latest(registry)


class MetricsRow:
    """One process's counts. Only that process writes to it."""

    def __init__(self, metrics: Metrics, slots: "memoryview[float]") -> None:
        self._slots = slots
        self._at = metrics.slots
        self._histograms = {
            name: (metrics.slots[name], buckets, metrics.slots[name] + len(buckets) + 1)
            for name, (_, buckets) in HISTOGRAMS.items()
        }
        self._request_slots = {
            (route, code): metrics.slots["requests"] + row * len(CODES) + column
            for row, route in enumerate(METRIC_NAMES)
            for column, code in enumerate(CODES)
        }

    def observe(self, histogram: str, value: float) -> None:
        slot, buckets, sum_slot = self._histograms[histogram]
        self._slots[slot + bisect_left(buckets, value)] += 1.0
        self._slots[sum_slot] += value

    def count(self, counter: str, amount: float = 1.0) -> None:
        self._slots[self._at[counter]] += amount

    def set(self, gauge: str, value: float) -> None:
        self._slots[self._at[gauge]] = value

    def count_request(self, route: str, code: int) -> None:
        self._slots[self._request_slots[route, code if code in CODES else 500]] += 1.0

    def count_rejected(self, reason: str) -> None:
        self._slots[self._at["rejected"] + REASONS.index(reason)] += 1.0

    def observe_prediction(
        self, prediction: Prediction, started_at: float, ended_at: float
    ) -> None:
        """A request that was answered with labels."""
        tokenize, queue, transport, _ = prediction.stages(started_at, ended_at)
        self.observe("request_duration_seconds", ended_at - started_at)
        self.observe("tokenize_duration_seconds", tokenize)
        self.observe("queue_duration_seconds", queue)
        self.observe("transport_duration_seconds", transport)
        self.observe("request_tokens", prediction.tokens)
        for logits in prediction.logits:
            self._slots[self._at["predictions"] + logits.index(max(logits))] += 1.0

    def observe_batch(self, facts: BatchFacts) -> None:
        """A forward pass as its worker reported it."""
        padding = facts.executed_tokens - facts.tokens
        self.observe("inference_duration_seconds", facts.finished_at - facts.started_at)
        self.observe("batch_size", facts.texts)
        self.observe("batch_tokens", facts.tokens)
        self.observe("batch_padding_ratio", padding / facts.executed_tokens)
        self.count("tokens", facts.tokens)
        self.count("padding_tokens", padding)


class SilentRow(MetricsRow):
    """``--no-metrics``: nothing is counted, at no cost."""

    def observe(self, histogram: str, value: float) -> None: ...

    def count(self, counter: str, amount: float = 1.0) -> None: ...

    def set(self, gauge: str, value: float) -> None: ...

    def count_request(self, route: str, code: int) -> None: ...

    def count_rejected(self, reason: str) -> None: ...

    def observe_prediction(
        self, prediction: Prediction, started_at: float, ended_at: float
    ) -> None: ...

    def observe_batch(self, facts: BatchFacts) -> None: ...


class _Scrape(Collector):
    """Adds the rows up into the metric families of one scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        metrics = self._metrics
        for name, (documentation, buckets) in HISTOGRAMS.items():
            slot, running = metrics.slots[name], 0.0
            cumulative = []
            for index, bound in enumerate((*map(str, map(float, buckets)), "+Inf")):
                running += metrics.total(slot + index)
                cumulative.append((bound, running))
            total = metrics.total(slot + len(buckets) + 1)
            yield HistogramMetricFamily(PREFIX + name, documentation, cumulative, total)
        yield self._labelled(
            "requests",
            "Requests by route and status code; 499: the client left.",
            ("route", "code"),
            [(route, str(code)) for route in METRIC_NAMES for code in CODES],
        )
        yield self._labelled(
            "rejected",
            "Requests that were not predicted, by reason.",
            ("reason",),
            [(reason,) for reason in REASONS],
        )
        yield self._labelled(
            "predictions",
            "Texts by the label that won.",
            ("label",),
            [(label,) for label in metrics.labels],
        )
        for name, documentation in COUNTERS.items():
            value = metrics.total(metrics.slots[name])
            yield CounterMetricFamily(PREFIX + name, documentation, value=value)
        for name, documentation in GAUGES.items():
            # Every API process is linked to every worker, and fits a cost model of its own.
            shared = name in ("workers_ready", "cost_model_relative_error")
            add_up = metrics.highest if shared else metrics.total
            yield GaugeMetricFamily(PREFIX + name, documentation, value=add_up(metrics.slots[name]))
        build = GaugeMetricFamily(
            PREFIX + "build_info", "Versions; always 1.", labels=list(metrics.build_info)
        )
        build.add_metric(list(metrics.build_info.values()), 1.0)
        yield build

    def _labelled(
        self, name: str, documentation: str, labels: tuple[str, ...], values: list[tuple[str, ...]]
    ) -> Metric:
        family = CounterMetricFamily(PREFIX + name, documentation, labels=labels)
        slot = self._metrics.slots[name]
        for index, label_values in enumerate(values):
            family.add_metric(list(label_values), self._metrics.total(slot + index))
        return family
