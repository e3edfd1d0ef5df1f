"""One measurement of the service: a load, every answer checked, latency broken down by stage."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from load_tests.agreement import disagreements
from load_tests.arrivals import Pattern, arrivals
from load_tests.generator import Generator, Outcome, Sample, http_request, percentile
from load_tests.reference_answers import KnownAnswers
from load_tests.service_process import Service
from load_tests.texts import LoadText

# Clients of a closed loop that keep every worker busy.
FULL_LOAD_CLIENTS = 64
STAGES = ("tokenize", "queue", "transport", "inference", "total")
STAGE = re.compile(rb"(\w+);dur=([0-9.]+)")
TIMING = re.compile(rb"\r\nserver-timing: *([^\r]+)", re.IGNORECASE)


@dataclass(slots=True)
class Probe:
    """Latencies in ms from the intended send time, of what was answered with 200."""

    offered_per_second: float  # 0 for a closed loop
    answered_per_second: float
    refused: int
    lost: int
    unsent: int
    wrong: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p99_9_ms: float
    short_p99_ms: float
    stage_mean_ms: dict[str, float]  # by Server-Timing
    refusal_p99_ms: float  # inside the service
    generator_cores: float
    generator_is_bottleneck: bool
    disagreements: list[str]
    latencies_ms: list[float] = field(default_factory=list, repr=False)


def stages_of(response: bytes) -> dict[str, float]:
    """``Server-Timing`` in ms by stage; empty if the response has no such header."""
    header = TIMING.search(response)
    if header is None:
        return {}
    return {name.decode("ascii"): float(ms) for name, ms in STAGE.findall(header[1])}


class Prober:
    """Sends texts to one service and judges the answers."""

    def __init__(
        self, service: Service, texts: Sequence[LoadText], answers: KnownAnswers | None
    ) -> None:
        self._service = service
        self._texts = texts
        self._answers = answers
        bodies = [json.dumps({"inputs": text.text}).encode("ascii") for text in texts]
        requests = [http_request("/predict", body, service.port) for body in bodies]
        self._generator = Generator(service.address, requests)

    def closed(self, clients: int, seconds: float) -> Probe:
        before = self._service.predict_codes()
        outcome = self._generator.closed(clients, seconds, keep_responses=True)
        return self._judge(outcome, before, 0.0)

    def open(
        self, rate: float, seconds: float, pattern: Pattern = "poisson", seed: int = 0
    ) -> Probe:
        before = self._service.predict_codes()
        due = arrivals(pattern, rate, seed)
        outcome = self._generator.open(due, seconds, keep_responses=True)
        return self._judge(outcome, before, rate)

    def _judge(self, outcome: Outcome, before: dict[int, float], rate: float) -> Probe:
        good = outcome.answered()
        all_ms = [sample.seconds * 1e3 for sample in good]
        short_ms = [
            sample.seconds * 1e3 for sample in good if self._texts[sample.index].kind == "short"
        ]
        timings = [stages_of(sample.response) for sample in good]
        refusals = [
            stages_of(sample.response).get("total", float("nan"))
            for sample in outcome.answered(429)
        ]
        seen: dict[int, int] = {}
        for sample in outcome.samples:
            seen[sample.status] = seen.get(sample.status, 0) + 1
        by_stage = {stage: [t.get(stage, 0.0) for t in timings] for stage in STAGES}
        return Probe(
            offered_per_second=rate,
            answered_per_second=len(good) / outcome.seconds,
            refused=len(outcome.samples) - len(good),
            lost=outcome.lost,
            unsent=outcome.unsent,
            wrong=sum(self._is_wrong(sample) for sample in good),
            p50_ms=percentile(all_ms, 50),
            p90_ms=percentile(all_ms, 90),
            p99_ms=percentile(all_ms, 99),
            p99_9_ms=percentile(all_ms, 99.9),
            short_p99_ms=percentile(short_ms, 99),
            stage_mean_ms={stage: sum(ms) / max(1, len(ms)) for stage, ms in by_stage.items()},
            refusal_p99_ms=percentile(refusals, 99),
            generator_cores=outcome.generator_cores,
            generator_is_bottleneck=outcome.generator_is_bottleneck,
            # A request that was lost may or may not have been counted.
            disagreements=disagreements(
                before, self._service.predict_codes(), seen, disconnected=outcome.lost
            ),
            latencies_ms=all_ms,
        )

    def _is_wrong(self, sample: Sample) -> bool:
        if self._answers is None:
            return False
        body = sample.response.partition(b"\r\n\r\n")[2]
        try:
            answer = json.loads(body)
        except ValueError:
            return True
        return self._answers.problem(self._texts[sample.index].text, answer) is not None
