from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from model_export.configuration import Configuration, PretrainingConfiguration
from model_export.corpus import Corpus
from model_export.corruption import Corruption, corrupt, prediction_chances
from model_export.environment import Environment
from model_export.preparation import TrainingData
from model_export.pretraining import Pretrainer
from model_export.run import Run, load_tensors
from model_export.team import Team
from model_export.training import train
from tests.model_export.interrupted import train_with_kills
from tests.model_export.opinions import small_configuration

VOCABULARY = 24
SETTINGS = {"passes": 30.5, "window_tokens": 16, "batch_tokens": 256, "learning_rate": 2e-2}


def counting_texts() -> Corpus:
    """Texts that count on from some token, so that each token follows from its neighbours."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(8, 40, 100)
    texts = [(draw.integers(VOCABULARY) + np.arange(n)) % VOCABULARY for n in lengths]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    labels = np.full(len(texts), -1)
    return Corpus(np.concatenate(texts).astype(np.uint16), offsets, labels)


def pretrainer(directory: Path, **settings: object) -> Pretrainer:
    corpus = counting_texts()
    data = TrainingData(VOCABULARY, corpus, 0, np.zeros(len(corpus)), None, None, {})
    configuration = small_configuration()
    return Pretrainer(
        configuration,
        PretrainingConfiguration.model_validate(SETTINGS | settings),
        data,
        Environment(Run(directory), torch.device("cpu"), Team(0, 1), Console(quiet=True), 1e9),
    )


def test_tokens_are_told_from_both_sides_far_better_than_by_frequency(tmp_path: Path) -> None:
    found = pretrainer(tmp_path)
    found.fit()
    assert found.place.first_loss == pytest.approx(np.log(VOCABULARY), rel=0.05)
    assert found.place.loss < 0.3 * found.place.first_loss


def test_a_blanked_token_cannot_be_seen_and_its_neighbours_can(tmp_path: Path) -> None:
    form = pretrainer(tmp_path)
    lengths = torch.tensor([6])
    blank = torch.tensor([[False, False, True, False, False, False]])

    def outputs(token_ids: list[int]) -> torch.Tensor:
        return form.outputs(lengths, Corruption(blank, torch.tensor([token_ids]), blank))

    original = outputs([1, 2, 3, 4, 5, 6])
    torch.testing.assert_close(outputs([1, 2, 9, 4, 5, 6]), original, rtol=0, atol=0)
    for other in ([9, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 9]):
        assert not torch.allclose(outputs(other)[2], original[2])


def test_corruption_has_its_shares_and_spares_padding() -> None:
    generator = np.random.default_rng(0)
    token_ids = torch.randint(0, VOCABULARY, (400, 50))
    lengths = torch.randint(1, 51, (400,))
    inside = torch.arange(50) < lengths.unsqueeze(1)
    found = corrupt(token_ids, lengths, np.full(VOCABULARY, 0.2), 0.25, generator)
    assert not (found.predicted & ~inside).any()
    assert (found.predicted.sum() / inside.sum()).item() == pytest.approx(0.2, abs=0.02)
    assert (found.blank.sum() / found.predicted.sum()).item() == pytest.approx(0.75, abs=0.03)
    assert torch.equal(found.token_ids[~found.predicted], token_ids[~found.predicted])


def test_frequent_tokens_are_predicted_less_often_but_the_share_is_kept() -> None:
    frequencies = np.array([0.9, 0.09, 0.009, 0.0009, 0.0001])
    settings = PretrainingConfiguration(corrupted=0.1, frequent=0.05)
    chances = prediction_chances(frequencies, settings)
    assert chances @ frequencies == pytest.approx(0.1)
    assert chances[0] < chances[1] < chances[2] == chances[3] == chances[4]


def pretrained_configuration(**changes: object) -> Configuration:
    pretraining = {"passes": 6, "window_tokens": 16, "batch_tokens": 256, "warmup_steps": 5}
    return small_configuration(pretraining=pretraining, training={"epochs": 1}, **changes)


def test_pretraining_killed_again_and_again_ends_like_an_uninterrupted_one(
    opinions: Path, tmp_path: Path
) -> None:
    whole, killed = Run(tmp_path / "whole"), Run(tmp_path / "killed")
    configuration = pretrained_configuration()
    train(configuration, opinions, whole, "cpu", 1, Console(quiet=True))
    train_with_kills(configuration, opinions, killed, killed.pretraining, 2)
    for file in ("pretraining", "checkpoint"):
        one, other = (load_tensors(getattr(run, file)) for run in (whole, killed))
        for name, tensor in one["classifier"].items():
            assert torch.equal(tensor, other["classifier"][name]), (file, name)


def test_two_processes_learn_from_the_same_corruptions(opinions: Path, tmp_path: Path) -> None:
    losses = []
    for processes in (1, 2):
        run = Run(tmp_path / str(processes))
        configuration = pretrained_configuration(teacher=None)
        train(configuration, opinions, run, "cpu", processes, Console(quiet=True))
        losses.append(load_tensors(run.pretraining)["state"]["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_training_begins_from_what_was_pretrained(opinions: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    still = {"epochs": 1, "learning_rate": 1e-12}
    configuration = pretrained_configuration().model_copy(
        update={"training": small_configuration(training=still).training}
    )
    train(configuration, opinions, run, "cpu", 1, Console(quiet=True))
    begun = load_tensors(run.pretraining)["classifier"]
    trained = load_tensors(run.best)["weights"]
    torch.testing.assert_close(trained["recurrent.weight_hh_l1"], begun["recurrent.weight_hh_l1"])
    torch.testing.assert_close(trained["embedding.weight"], begun["embedding.weight"])
