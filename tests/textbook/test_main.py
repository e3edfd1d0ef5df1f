"""The commands of ``python -m textbook``: what they are given becomes tables or one sentence."""

from pathlib import Path

import pytest

from tests.model_export.random_bundle import write_random_bundle
from textbook.__main__ import main


@pytest.mark.parametrize("command", ["speed", "roofline", "pictures"])
def test_what_is_no_bundle_ends_with_a_sentence(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--bundle", str(tmp_path / "nowhere")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: there is no bundle at ")
    assert error.count("\n") == 1


def test_pictures_are_drawn_where_the_documentation_shows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = write_random_bundle(tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    assert main(["pictures", "--bundle", str(bundle.directory)]) == 0
    drawn = {path.name for path in (tmp_path / "docs" / "pictures").iterdir()}
    assert drawn == {"packing.png", "gates.png"}


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("speed", "roofline", "pictures", "page-numbers"))
