"""All ways of computing give the answers of the equations before any of them is timed."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from model_export.errors import ModelExportError
from model_export.oracle import Oracle
from model_export.roofline_report import report_roofline
from model_export.speed import LOADS, open_ways, prove_ways, random_texts
from tests.model_export.random_bundle import write_random_bundle


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
