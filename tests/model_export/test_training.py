import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console

from model_export.configuration import Configuration
from model_export.errors import ModelExportError
from model_export.run import Run, load_tensors
from model_export.training import train
from tests.model_export.opinions import small_configuration, write_configuration


def weights(run: Run) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_tensors(run.checkpoint)["averaged"]
    return found


def assert_same_weights(one: Run, other: Run) -> None:
    expected = weights(other)
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, expected[name]), name


def train_quietly(
    configuration: Configuration, data: Path, directory: Path, processes: int = 1
) -> Run:
    run = Run(directory)
    train(configuration, data, run, "cpu", processes, Console(quiet=True))
    return run


def test_training_learns(trained: Run) -> None:
    history = load_tensors(trained.best)["history"]
    assert history[-1]["macro_accuracy"] > 0.9
    assert history[-1]["microseconds_per_token"] > 0


def test_one_seed_gives_one_result_and_another_seed_another(
    trained: Run, opinions: Path, tmp_path: Path
) -> None:
    assert_same_weights(train_quietly(small_configuration(), opinions, tmp_path / "same"), trained)
    other = train_quietly(small_configuration(seed=2), opinions, tmp_path / "other")
    assert not torch.equal(weights(other)["linear.weight"], weights(trained)["linear.weight"])


def test_a_run_killed_again_and_again_ends_like_an_uninterrupted_one(
    trained: Run, opinions: Path, tmp_path: Path
) -> None:
    configuration = write_configuration(tmp_path / "opinions.toml", small_configuration())
    run = Run(tmp_path / "killed")
    command = [sys.executable, "-m", "model_export", "train", "--config", str(configuration)]
    command += ["--data", str(opinions), "--run", str(run.directory), "--save-seconds", "0.05"]
    kills = 0
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        before = run.checkpoint.stat().st_mtime_ns if run.checkpoint.exists() else 0
        while process.poll() is None and kills < 3:
            if run.checkpoint.exists() and run.checkpoint.stat().st_mtime_ns != before:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        if process.wait(120) == 0:
            break
    assert kills == 3
    assert_same_weights(run, trained)


def test_two_processes_learn_from_the_same_batches(opinions: Path, tmp_path: Path) -> None:
    # Without dropout the only difference is the order in which losses are added.
    configuration = small_configuration(
        dropout={"words": 0.0, "embedding": 0.0, "layers": 0.0, "states": 0.0}, teacher=None
    )
    one = train_quietly(configuration, opinions, tmp_path / "one")
    two = train_quietly(configuration, opinions, tmp_path / "two", processes=2)
    first, second = (load_tensors(run.checkpoint)["state"]["history"] for run in (one, two))
    assert first[0]["loss"] == pytest.approx(second[0]["loss"], rel=1e-3)
    assert [epoch["tokens"] for epoch in first] == [epoch["tokens"] for epoch in second]


def test_training_stops_when_patience_ends(opinions: Path, tmp_path: Path) -> None:
    # With a rate this small no epoch is better than the first.
    training = {"epochs": 9, "learning_rate": 1e-9, "patience_epochs": 2, "batch_texts": 64}
    run = train_quietly(small_configuration(training=training), opinions, tmp_path / "run")
    assert load_tensors(run.checkpoint)["state"]["epoch"] == 3


def test_a_run_of_another_configuration_is_left_alone(trained: Run, opinions: Path) -> None:
    with pytest.raises(ModelExportError, match="belongs to another configuration"):
        train(small_configuration(seed=9), opinions, trained, "cpu", 1, Console(quiet=True))
