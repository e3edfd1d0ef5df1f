from pathlib import Path

from PIL import Image
from rich.console import Console

from model_export.card import write_card
from model_export.run import Run
from model_export.verify import load_classifier
from tests.model_export.opinions import publish

SUITE = """
[[capability]]
name = "plain"
kind = "minimum"
[capability.cases]
positive = ["superb", "it was dire"]
"""


def test_the_card_tells_what_was_measured(
    trained: Run, opinions: Path, tmp_path: Path, console: Console
) -> None:
    bundle = publish(trained, tmp_path)
    suite, notes = tmp_path / "suite.toml", tmp_path / "notes.md"
    suite.write_text(SUITE)
    notes.write_text("## Terms\n\nInvented for a test.\n")
    write_card(bundle.directory, opinions, suite, [notes], console)
    card = (bundle.directory / "MODEL_CARD.md").read_text()
    for part in ("Invented for a test.", "| opinions/dev | 60 |", "| plain | minimum | 2 | 50% |"):
        assert part in card
    assert "- plain: it was dire" in card
    count = sum(parameter.numel() for parameter in load_classifier(bundle).parameters())
    assert f"{count:,} parameters" in card
    for name in ("reliability.png", "confusion.png", "learning_curves.png"):
        assert f"({name})" in card
        with Image.open(bundle.directory / name) as picture:
            assert min(picture.size) > 100
