"""All ways of computing give the answers of the equations before any of them is timed."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from model_export.errors import ModelExportError
from model_export.oracle import Oracle
from tests.model_export.random_bundle import write_random_bundle
from textbook.roofline_report import report_roofline
from textbook.speed import LOADS, PACKED, open_ways, prove_ways, random_texts
from textbook.speed_report import report_speed


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_every_way_gives_the_answers_of_the_equations(cell: str, tmp_path: Path) -> None:
    bundle = write_random_bundle(tmp_path, cell)
    for texts in random_texts(bundle).values():
        prove_ways(bundle, open_ways(bundle), texts)


def test_a_way_that_gives_other_answers_is_not_timed(tmp_path: Path) -> None:
    bundle = write_random_bundle(tmp_path)
    (texts, *_) = random_texts(bundle).values()
    ways = {"upside down": lambda texts: Oracle(bundle).logits([text[::-1] for text in texts])}
    with pytest.raises(ModelExportError, match="upside down: gives other answers"):
        prove_ways(bundle, ways, texts)


def test_speed_is_told_per_token_and_beside_packing(tmp_path: Path) -> None:
    bundle = write_random_bundle(tmp_path)
    written = io.StringIO()
    report_speed(bundle.directory, Console(file=written, width=200), 0.005)
    lines = written.getvalue().splitlines()
    for load in LOADS:
        assert any(line.startswith(f"| {load.capitalize()}") for line in lines)
    rows = [line.split("|") for line in lines if line.startswith(f"| {PACKED} ")]
    assert [row[3].strip() for row in rows] == ["1.00"] * len(LOADS)
    assert all(float(row[2]) > 0 for row in rows)


def test_the_report_has_a_row_for_everything_and_a_picture(tmp_path: Path) -> None:
    bundle = write_random_bundle(tmp_path / "bundle")
    written = io.StringIO()
    report_roofline(
        bundle.directory, tmp_path / "roofline.png", Console(file=written, width=200), 0.005
    )
    text = written.getvalue()
    for row in (
        "fp32 arithmetic",
        "reading memory",
        "lstm, hidden 128",
        *open_ways(bundle),
        *LOADS,
    ):
        assert row.lower() in text.lower()
    assert (tmp_path / "roofline.png").read_bytes().startswith(b"\x89PNG")
