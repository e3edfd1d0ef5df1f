import io
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from rich.console import Console

from model_export import verify
from model_export.classifier import Classifier, pad
from model_export.configuration import Cell, ModelConfiguration
from model_export.errors import ModelExportError
from model_export.evaluate import evaluate
from model_export.export import export, write_models
from model_export.run import Run, load_tensors
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


def recurrent_weights(path: Path) -> list[npt.NDArray[np.float32]]:
    """W and R, (directions, gates · hidden, inputs), of each layer, scaled back where quantised."""
    graph = onnx.load(path).graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = []
    for node in graph.node:
        if node.op_type == "LSTM":
            found += [values[name] for name in node.input[1:3]]
        elif node.op_type == "DynamicQuantizeLSTM":
            names = zip(node.input[1:3], (node.input[8], node.input[10]), strict=True)
            for weight, scale in names:
                scaled = values[weight] * values[scale].reshape(2, 1, -1)
                found.append(scaled.transpose(0, 2, 1).astype(np.float32))
    return found


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


def test_the_fitted_temperature_divides_the_published_logits(published: Path, trained: Run) -> None:
    bundle = Bundle(published)
    temperature = bundle.manifest.metrics["temperature"]
    assert abs(temperature - 1) > 0.05
    network = Classifier(trained.configuration().model, bundle.manifest.sizes.vocabulary, 2)
    network.load_state_dict(load_tensors(trained.best)["weights"])
    network.eval().embedding.half()
    golden = read_golden(bundle)
    with torch.inference_mode():
        for entry in golden:
            expected = network(*pad([entry.token_ids]))[0] / temperature
            torch.testing.assert_close(torch.tensor(entry.logits), expected)


def test_int8_rounds_each_gate_unit_by_a_scale_of_its_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Classifier(ModelConfiguration(embedding_size=6, hidden_size=8), 30, 2)
    for name, parameter in network.recurrent.named_parameters():
        if name.startswith("weight"):
            parameter.data[3] *= 100  # beside which the others would be rounded to nothing
    write_models(network.eval(), tmp_path)
    exact, rounded = (
        recurrent_weights(tmp_path / name) for name in ("model.onnx", "model.int8.onnx")
    )
    assert len(exact) == len(rounded) == 2 * 2  # layers; inputs and hidden states
    for fp32, int8 in zip(exact, rounded, strict=True):
        error = np.abs(int8 - fp32).max(-1)  # (directions, gates · hidden)
        assert (error <= np.abs(fp32).max(-1) / 127).all()


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
    with pytest.raises(ModelExportError, match="something other than a bundle"):
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
