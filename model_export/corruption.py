"""Which tokens of a text are hidden, so that the others have to tell them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_export.configuration import PretrainingConfiguration
from model_export.corpus import Corpus


@dataclass(frozen=True)
class Corruption:
    """Which tokens of a batch (batch, time) to predict, what stands there instead, and where
    nothing does."""

    predicted: Tensor  # bool
    token_ids: Tensor
    blank: Tensor  # bool

    def take(self, rows: slice) -> "Corruption":
        return Corruption(self.predicted[rows], self.token_ids[rows], self.blank[rows])


def token_frequencies(corpus: Corpus, vocabulary_size: int) -> npt.NDArray[np.float64]:
    counts = np.bincount(corpus.token_ids, minlength=vocabulary_size)
    return np.asarray(counts / max(1, counts.sum()), np.float64)  # (vocabulary,)


def prediction_chances(
    frequencies: npt.NDArray[np.float64], settings: PretrainingConfiguration
) -> npt.NDArray[np.float64]:
    """How likely an occurrence of each token is to be predicted; ``corrupted`` of all are."""
    weights = np.sqrt(settings.frequent / frequencies.clip(min=settings.frequent))
    chances = weights * (settings.corrupted / float(frequencies @ weights))
    return np.asarray(chances.clip(max=0.5), np.float64)  # (vocabulary,)


def corrupt(
    token_ids: Tensor,
    lengths: Tensor,
    chances: npt.NDArray[np.float64],
    random: float,
    generator: np.random.Generator,
) -> Corruption:
    """Draw what to predict of ids (batch, time); never padding."""
    ids = token_ids.numpy()
    inside = np.arange(ids.shape[1]) < lengths.numpy()[:, None]
    predicted = (generator.random(ids.shape) < chances[ids]) & inside
    replaced = predicted & (generator.random(ids.shape) < random)
    others = generator.integers(0, len(chances), ids.shape)
    return Corruption(
        torch.from_numpy(predicted),
        torch.from_numpy(np.where(replaced, others, ids)),
        torch.from_numpy(predicted & ~replaced),
    )
