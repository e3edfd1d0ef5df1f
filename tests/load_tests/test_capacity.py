"""Probes of the real service, and the report that is drawn of them."""

import re
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest

from load_tests.capacity import Capacity, bisect_rate
from load_tests.capacity_report import capacity_report
from load_tests.machine import describe_machine
from load_tests.probe import Prober, stages_of
from load_tests.reference_answers import KnownAnswers
from load_tests.service_process import Service
from load_tests.texts import generate
from tests.e2e.running_service import RunningService

TEXTS = generate("mixed", 20)


@pytest.mark.parametrize("true_capacity", [120.0, 640.0, 985.0])
def test_bisection_finds_the_highest_rate_that_meets_the_objective(true_capacity: float) -> None:
    found = bisect_rate(lambda rate: rate <= true_capacity, at_most=1000.0)
    assert true_capacity * 0.95 <= found <= true_capacity


def test_bisection_finds_nothing_where_nothing_meets_it() -> None:
    assert bisect_rate(lambda rate: False, at_most=1000.0) == 0.0


def test_stages_are_read_from_server_timing() -> None:
    response = b"HTTP/1.1 200 OK\r\nServer-Timing: tokenize;dur=0.100, total;dur=1.250\r\n\r\n{}"
    assert stages_of(response) == {"tokenize": 0.1, "total": 1.25}


def test_a_probe_agrees_with_metrics_and_takes_latency_apart(service: RunningService) -> None:
    probe = Prober(Service(service.port, None), TEXTS, answers=None).open(30.0, 1.0)
    assert (probe.refused, probe.lost, probe.unsent, probe.disagreements) == (0, 0, 0, [])
    assert 0 < probe.p50_ms <= probe.p90_ms <= probe.p99_ms <= probe.p99_9_ms
    parts = sum(probe.stage_mean_ms[stage] for stage in probe.stage_mean_ms if stage != "total")
    assert parts == pytest.approx(probe.stage_mean_ms["total"], rel=0.05)
    assert probe.stage_mean_ms["total"] <= np.mean(probe.latencies_ms)


def test_a_probe_counts_wrong_answers(service: RunningService) -> None:
    invented = {text.text: {"positive": 0.5, "negative": 0.5} for text in TEXTS}
    answers = KnownAnswers(invented, tolerance=1e-9)
    probe = Prober(Service(service.port, None), TEXTS, answers).closed(2, 0.3)
    assert probe.wrong > 0


def test_the_report_is_one_file_whose_pictures_are_well_formed(
    service: RunningService, tmp_path: Path
) -> None:
    probe = Prober(Service(service.port, None), TEXTS, answers=None).closed(2, 0.3)
    capacity = Capacity("fp32, 1 worker", {}, "mixed", "p99 within 9 ms", probe, 10.0, [probe] * 7)
    page = capacity_report([capacity, capacity], describe_machine(), "2026-01-01")
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 5
    for picture in pictures:
        xml.etree.ElementTree.fromstring(picture)
    assert not re.search(r'(?:src|href)="(?!#)', page.replace("xlink:href", "href"))
