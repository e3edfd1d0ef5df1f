from pathlib import Path

import pytest
import torch
from rich.console import Console

from model_export.configuration import (
    AdversarialConfiguration,
    Configuration,
    TrainingConfiguration,
)
from model_export.errors import ModelExportError
from model_export.run import Run, load_tensors
from model_export.training import perturbation, scheduled_rate, train
from tests.model_export.interrupted import train_with_kills
from tests.model_export.opinions import small_configuration


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
    run = Run(tmp_path / "killed")
    train_with_kills(small_configuration(), opinions, run, run.checkpoint, 3)
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


def test_an_adversarial_perturbation_follows_each_text_s_gradient_and_spares_padding() -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([4, 2])
    features, gradient = torch.randn(4, 2, 3), torch.randn(4, 2, 3)
    gradient[2:, 1] = 0  # as behind the end of a text
    moved = perturbation(features, gradient, lengths, norm=0.05)
    for text, length in enumerate(lengths):
        assert moved[:, text].norm() == pytest.approx(0.05 * features[:length, text].norm())
        alignment = torch.cosine_similarity(
            moved[:, text].flatten(), gradient[:, text].flatten(), 0
        )
        assert alignment == pytest.approx(1.0)


def test_adversarial_training_learns_from_its_first_epoch_on(
    trained: Run, opinions: Path, tmp_path: Path
) -> None:
    configuration = small_configuration(adversarial={"from_epoch": 2, "norm": 0.1})
    run = train_quietly(configuration, opinions, tmp_path / "adversarial")
    plain, moved = (load_tensors(found.best)["history"] for found in (trained, run))
    assert moved[0] == plain[0] | {"microseconds_per_token": moved[0]["microseconds_per_token"]}
    assert moved[1]["loss"] != plain[1]["loss"]
    assert moved[-1]["macro_accuracy"] > 0.9


def test_adversarial_epochs_are_those_from_the_first_to_the_last_named() -> None:
    bounded = AdversarialConfiguration(from_epoch=2, until_epoch=3)
    assert [bounded.holds_in(epoch) for epoch in range(1, 6)] == [False, True, True, False, False]
    assert AdversarialConfiguration(from_epoch=2).holds_in(99)


def test_the_learning_rate_rises_falls_and_may_fall_a_second_time() -> None:
    once = TrainingConfiguration(epochs=4, learning_rate=0.1, warmup_steps=10)
    assert scheduled_rate(once, 4, 0.0) == pytest.approx(0.05)
    assert scheduled_rate(once, 99, 2.0) == pytest.approx(0.05)
    twice = once.model_copy(update={"restart_after": 3, "restart_learning_rate": 0.03})
    rates = [scheduled_rate(twice, 99, epochs) for epochs in (0, 1.5, 2.999, 3, 3.5, 3.999)]
    assert rates == pytest.approx([0.1, 0.05, 0.002, 0.03, 0.015, 0.0006])
    # A restart that the epochs do not reach changes nothing.
    late = once.model_copy(update={"restart_after": 9})
    assert scheduled_rate(late, 99, 3.0) == scheduled_rate(once, 99, 3.0)


def test_a_run_of_another_configuration_is_left_alone(trained: Run, opinions: Path) -> None:
    with pytest.raises(ModelExportError, match="belongs to another configuration"):
        train(small_configuration(seed=9), opinions, trained, "cpu", 1, Console(quiet=True))
