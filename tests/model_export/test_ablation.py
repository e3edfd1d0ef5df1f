import json
from pathlib import Path

import pytest
from rich.console import Console

from model_export.ablation import ablate, ablation_table, read_ablation
from model_export.configuration import PretrainingConfiguration
from model_export.errors import ModelExportError
from model_export.run import Run
from tests.model_export.opinions import small_configuration, write_configuration

CONFIGURATIONS = Path(__file__).parents[2] / "model_export" / "configurations"
VARIANTS = """
base = "base.toml"
[common.training]
epochs = 1
[[variants]]
name = "lstm"
[[variants]]
name = "gru without teacher"
without = ["teacher"]
changes = { model = { cell = "gru" } }
"""
SETTINGS = PretrainingConfiguration(passes=1, window_tokens=16, batch_tokens=512)


@pytest.fixture
def variants(tmp_path: Path) -> Path:
    base = small_configuration(pretraining=SETTINGS.model_dump())
    write_configuration(tmp_path / "base.toml", base)
    path = tmp_path / "variants.toml"
    path.write_text(VARIANTS)
    return path


def test_a_variant_is_the_base_with_what_it_changes(variants: Path) -> None:
    lstm, gru = (configuration for _, configuration in read_ablation(variants))
    base = small_configuration(pretraining=SETTINGS.model_dump())
    changed = base.training.model_copy(update={"epochs": 1})
    assert lstm == base.model_copy(update={"training": changed})
    assert gru.model == base.model.model_copy(update={"cell": "gru"})
    assert gru.training == lstm.training
    assert (gru.teacher, lstm.teacher) == (None, base.teacher)


@pytest.mark.parametrize(
    ("change", "part"),
    [('base = "nowhere.toml"', "nowhere.toml"), ('cell = "tree"', "gru without teacher: model")],
)
def test_a_bad_ablation_ends_with_a_sentence(variants: Path, change: str, part: str) -> None:
    key = change.split()[0]
    old = {"base": 'base = "base.toml"', "cell": 'cell = "gru"'}[key]
    variants.write_text(VARIANTS.replace(old, change))
    with pytest.raises(ModelExportError, match=part):
        read_ablation(variants)


def test_variants_are_trained_once_and_compared(
    variants: Path, opinions: Path, tmp_path: Path, console: Console
) -> None:
    runs, results = tmp_path / "runs", tmp_path / "ablation.json"
    ablate(variants, opinions, runs, None, 1, results, console)
    first, second = json.loads(results.read_text())["variants"]
    assert (first["variant"], second["variant"]) == ("lstm", "gru without teacher")
    assert first["parameters"] * 3 == second["parameters"] * 4
    assert second["inference_microseconds_per_token"] > 0
    lines = results.with_suffix(".md").read_text().splitlines()
    assert len(lines) == 4
    assert lines[3].startswith("| gru without teacher | ")
    before = (runs / "gru-without-teacher" / "checkpoint.pt").stat().st_mtime_ns
    ablate(variants, opinions, runs, None, 1, results, console)
    assert (runs / "gru-without-teacher" / "checkpoint.pt").stat().st_mtime_ns == before


def test_the_table_in_the_card_is_made_from_the_results_beside_it() -> None:
    found = json.loads((CONFIGURATIONS / "ablation.json").read_text())
    shown = (CONFIGURATIONS / "ablation.md").read_text()
    assert shown == ablation_table(found["variants"]) + "\n"


def test_a_run_borrows_only_what_would_come_out_the_same(trained: Run, tmp_path: Path) -> None:
    def borrowed(**changes: object) -> set[str]:
        run = Run(tmp_path / str(len(list(tmp_path.iterdir()))))
        run.open_for(small_configuration(**changes), trained.data_sha256())
        run.borrow(trained)
        return {path.name for path in run.directory.iterdir()} - {"run.json"}

    prepared = {"tokenizer.json", "cache", "soft_labels-ngrams.pt", "embedding.pt"}
    assert borrowed() == prepared
    assert borrowed(seed=2, teacher=None) == prepared
    narrower = {"embedding_size": 8, "hidden_size": 16, "layers": 2}
    assert borrowed(model=narrower) == prepared - {"embedding.pt"}
    assert borrowed(vocabulary={"size": 310, "min_frequency": 1}) == set()
