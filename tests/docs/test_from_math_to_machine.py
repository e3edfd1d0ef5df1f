"""The walk from the equations to the service: every block runs and prints what the page shows."""

from pathlib import Path

import pytest

from tests.docs.page import broken_links, run_python

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "from-math-to-machine.md"


def test_every_block_prints_what_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert run_python(PAGE) >= 10


def test_every_file_it_points_to_exists() -> None:
    assert broken_links(PAGE) == []
