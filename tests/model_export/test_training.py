from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from model_export.classification_loss import perturbation
from model_export.configuration import Configuration, TrainingConfiguration, in_epoch
from model_export.dataset import find_data_files
from model_export.environment import Environment
from model_export.errors import ModelExportError
from model_export.preparation import prepare
from model_export.run import Run, load_tensors
from model_export.schedule import scheduled_rate
from model_export.team import Team
from model_export.trainer import Trainer
from model_export.training import train
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
    configuration = small_configuration(adversarial={"norm": [0.0, 0.1]})
    run = train_quietly(configuration, opinions, tmp_path / "adversarial")
    plain, moved = (load_tensors(found.best)["history"] for found in (trained, run))
    assert moved[0] == plain[0] | {"microseconds_per_token": moved[0]["microseconds_per_token"]}
    assert moved[1]["loss"] != plain[1]["loss"]
    assert moved[-1]["macro_accuracy"] > 0.9


def test_settings_of_each_epoch_hold_on_for_all_that_follow() -> None:
    assert [in_epoch([0.0, 0.3, 0.1], epoch) for epoch in range(1, 6)] == [0, 0.3, 0.1, 0.1, 0.1]


def test_the_learning_rate_rises_falls_and_falls_again_from_each_restart() -> None:
    once = TrainingConfiguration(epochs=6, learning_rate=0.1, warmup_steps=10)
    assert scheduled_rate(once, 4, 0.0) == pytest.approx(0.05)
    assert scheduled_rate(once, 99, 3.0) == pytest.approx(0.05)
    restarts = [{"after": 4, "learning_rate": 0.02}, {"after": 2, "learning_rate": 0.03}]
    settings = {"epochs": 6, "learning_rate": 0.1, "warmup_steps": 10, "restarts": restarts}
    thrice = TrainingConfiguration.model_validate(settings)
    rates = [scheduled_rate(thrice, 99, epochs) for epochs in (0, 1, 1.999, 2, 3, 4, 5, 5.999)]
    assert rates == pytest.approx([0.1, 0.05, 0.002, 0.03, 0.015, 0.02, 0.01, 0.0004])
    assert scheduled_rate(thrice, 4, 4.0) == pytest.approx(0.01)
    # A restart that the epochs do not reach changes nothing.
    late = TrainingConfiguration.model_validate(settings | {"restarts": [restarts[0]], "epochs": 4})
    assert scheduled_rate(late, 99, 2.0) == pytest.approx(0.05)


def test_a_restart_begins_from_the_averaged_weights(opinions: Path, tmp_path: Path) -> None:
    def checkpoint(**changes: object) -> dict[str, dict[str, torch.Tensor]]:
        training = small_configuration().training.model_dump() | changes
        configuration = small_configuration(training=training, teacher=None)
        run = train_quietly(configuration, opinions, tmp_path / str(len(changes)))
        found: dict[str, dict[str, torch.Tensor]] = load_tensors(run.checkpoint)
        return found

    before = checkpoint(epochs=1)
    # A rate of almost nothing leaves the weights where the restart put them.
    after = checkpoint(epochs=2, restarts=[{"after": 1, "learning_rate": 1e-12}])
    name = "linear.weight"
    assert not torch.allclose(before["classifier"][name], before["averaged"][name], atol=1e-4)
    torch.testing.assert_close(after["classifier"][name], before["averaged"][name])
    torch.testing.assert_close(after["averaged"][name], before["averaged"][name])


@pytest.mark.parametrize("processes", [1, 2])
def test_the_weights_with_which_the_last_cycles_ended_are_merged(
    opinions: Path, tmp_path: Path, processes: int
) -> None:
    restarts = [{"after": 1, "learning_rate": 0.01}, {"after": 2, "learning_rate": 0.01}]
    training = small_configuration().training.model_dump()
    training |= {"epochs": 3, "restarts": restarts, "merged_cycles": 2}
    configuration = small_configuration(training=training, teacher=None)
    run = train_quietly(configuration, opinions, tmp_path / "run", processes)
    second, third = (load_tensors(run.weights(epoch))["linear.weight"] for epoch in (2, 3))
    assert not torch.allclose(second, third, atol=1e-3)
    kept = load_tensors(run.best)["weights"]["linear.weight"]
    torch.testing.assert_close(kept, (second + third) / 2)


def test_unlabelled_texts_are_labelled_by_n_grams_and_network_in_the_shares_of_the_epoch(
    opinions: Path, tmp_path: Path
) -> None:
    teacher = {"unlabelled_fraction": [0.0, 1.0], "network_share": [0.0, 0.0, 0.75]}
    run = train_quietly(small_configuration(teacher=teacher), opinions, tmp_path / "run")
    configuration, quiet = run.configuration(), Console(quiet=True)
    data = prepare(configuration, find_data_files(opinions), run, quiet)
    environment = Environment(run, torch.device("cpu"), Team(0, 1), quiet)
    trainer = Trainer(configuration, data, environment)
    unlabelled = np.arange(data.labelled, len(data.corpus))

    def targets(epoch: int) -> torch.Tensor:
        plan = trainer.plan(epoch)
        trainer.set_targets(epoch, plan)
        assert set(plan.texts) >= set(unlabelled) if epoch > 1 else max(plan.texts) < data.labelled
        return trainer.targets.probabilities[data.labelled :].clone()

    n_grams, both = targets(2), targets(3)
    network = load_tensors(run.directory / "soft_labels-3.pt")
    assert data.soft_labels is not None
    torch.testing.assert_close(n_grams, data.soft_labels)
    torch.testing.assert_close(both, 0.25 * data.soft_labels + 0.75 * network)
    targets(1)


def test_a_run_of_another_configuration_is_left_alone(trained: Run, opinions: Path) -> None:
    with pytest.raises(ModelExportError, match="belongs to another configuration"):
        train(small_configuration(seed=9), opinions, trained, "cpu", 1, Console(quiet=True))
