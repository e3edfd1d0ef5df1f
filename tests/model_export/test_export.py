import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from model_export import verify
from model_export.configuration import Cell
from model_export.errors import ModelExportError
from model_export.evaluate import evaluate
from model_export.export import export
from model_export.run import Run
from model_export.training import train
from service.engine.bundle import Bundle
from service.engine.golden import read_golden
from service.engine.scorer import Scorer
from tests.model_export.opinions import small_configuration, write_opinions


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, trained: Run, opinions: Path) -> Path:
    bundle = tmp_path_factory.mktemp("bundles") / "opinions"
    export(trained, bundle, opinions, Console(quiet=True))
    return bundle


def test_the_bundle_says_what_it_is_and_where_it_comes_from(published: Path) -> None:
    manifest = Bundle(published).manifest
    assert manifest.labels == ["negative", "positive"]
    assert manifest.cell == "lstm"
    assert manifest.sizes.hidden == 16
    assert manifest.training["data_sha256"].keys() == {
        "opinions/train",
        "opinions/dev",
        "opinions/unlabelled",
    }
    assert manifest.metrics["accuracy"]["opinions/dev"] > 0.9
    assert manifest.training["history"][-1]["microseconds_per_token"] > 0


def test_the_embedding_is_stored_in_half_precision(published: Path) -> None:
    manifest = Bundle(published).manifest
    header = json.loads(
        (published / "weights.safetensors").read_bytes()[8:].split(b"}}")[0] + b"}}"
    )
    assert header["embedding.weight"]["dtype"] == "F16"
    assert header["embedding.weight"]["shape"] == [manifest.sizes.vocabulary, 12]


def test_golden_texts_reach_from_a_word_to_over_a_thousand_tokens(published: Path) -> None:
    lengths = [len(entry.token_ids) for entry in read_golden(Bundle(published))]
    assert min(lengths) <= 2
    assert max(lengths) > 1000


def test_the_published_model_answers(published: Path) -> None:
    bundle = Bundle(published)
    logits = Scorer(bundle, "onnx").logits(["the plot was superb", "a dire and poor film"])
    assert logits.argmax(1).tolist() == [1, 0]


def test_publishing_replaces_an_older_bundle(
    published: Path, trained: Run, tmp_path: Path, console: Console
) -> None:
    bundle = tmp_path / "opinions"
    for _ in range(2):
        export(trained, bundle, None, console)
    assert Bundle(bundle).manifest.metrics == Bundle(published).manifest.metrics
    assert [path.name for path in tmp_path.iterdir()] == ["opinions"]


def test_a_directory_of_something_else_is_left_alone(
    trained: Run, tmp_path: Path, console: Console
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelExportError, match="something else than a bundle"):
        export(trained, tmp_path, None, console)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_bundle_is_published_without_the_int8_that_disagrees_too_often(
    trained: Run, opinions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "AGREEMENT", 1.01)  # more than any model can reach
    console = Console(file=io.StringIO(), width=200)
    export(trained, tmp_path / "bundle", opinions, console)
    assert isinstance(console.file, io.StringIO)
    assert "published without onnx-int8" in console.file.getvalue()
    bundle = Bundle(tmp_path / "bundle")
    assert bundle.manifest.backends == ["torchscript", "onnx"]
    assert not (bundle.directory / "model.int8.onnx").exists()
    assert set(bundle.manifest.files) == {
        path.name for path in bundle.directory.iterdir() if path.name != "manifest.json"
    }


def test_nothing_is_published_when_a_form_that_only_rounds_differs(
    trained: Run, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    # less than any difference
    monkeypatch.setattr(verify.tolerance_check, "__defaults__", (-1.0,))
    with pytest.raises(ModelExportError, match="nothing was published"):
        export(trained, tmp_path / "bundle", None, console)
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_an_epoch_is_refused(tmp_path: Path, console: Console) -> None:
    run = Run(tmp_path / "run")
    run.open_for(small_configuration(), {})
    with pytest.raises(ModelExportError, match="has finished no epoch"):
        export(run, tmp_path / "bundle", None, console)


def test_evaluation_counts_what_the_model_answers(
    published: Path, opinions: Path, tmp_path: Path, console: Console
) -> None:
    output = tmp_path / "evaluation.json"
    evaluate(published, opinions, "onnx", None, output, console)
    found = json.loads(output.read_text())["files"]["opinions/dev"]
    confusion = np.array(found["confusion"])
    assert confusion.sum() == found["texts"] == 60
    assert found["accuracy"] == pytest.approx(confusion.trace() / 60)
    assert found["interval"][0] <= found["accuracy"] <= found["interval"][1]
    assert sum(bucket["texts"] for bucket in found["length_buckets"]) == 60
    assert sum(part["texts"] for part in found["reliability"]) == 60


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_three_labels_and_other_cells_go_the_same_way(
    cell: Cell, tmp_path: Path, console: Console
) -> None:
    data = write_opinions(tmp_path / "data", labels=("bad", "fair", "good"))
    configuration = small_configuration(
        labels={"bad": "negative", "fair": "neutral", "good": "positive"},
        model={"cell": cell, "embedding_size": 12, "hidden_size": 16},
    )
    run = Run(tmp_path / "run")
    train(configuration, data, run, "cpu", 1, console)
    export(run, tmp_path / "bundle", data, console)
    manifest = Bundle(tmp_path / "bundle").manifest
    assert manifest.labels == ["negative", "neutral", "positive"]
    assert manifest.cell == cell
    report = evaluate(tmp_path / "bundle", data, "onnx", None, None, console)
    assert report["macro_accuracy"] > 0.8
