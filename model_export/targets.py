"""What every text is to be answered with: its label, or what teachers say where nobody knows it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from model_export.configuration import Configuration, in_epoch
from model_export.corpus import Int64s
from model_export.preparation import TrainingData


class Targets:
    """``probabilities`` (texts, labels) to learn, and the ``weights`` (texts) of their losses."""

    def __init__(self, configuration: Configuration, data: TrainingData) -> None:
        self.configuration, self.data = configuration, data
        self.probabilities = torch.zeros(len(data.corpus), len(configuration.labels))
        self.weights = torch.ones(len(data.corpus))

    def set(self, epoch: int, texts: Int64s, network_labels: Callable[[Int64s], Tensor]) -> None:
        """Those of ``epoch``, which learns ``texts``.

        One-hot for labelled texts; for the others the n-gram teacher's probabilities, mixed with
        ``network_labels``, the network's own for the texts that it is asked about.
        """
        teacher, first = self.configuration.teacher, self.data.labelled
        labels = torch.from_numpy(self.data.corpus.labels[:first])
        smoothing = self.configuration.training.label_smoothing
        self.probabilities.fill_(smoothing / self.probabilities.shape[1])
        self.probabilities[torch.arange(first), labels] += 1 - smoothing
        if teacher is None or self.data.soft_labels is None:
            return
        self.probabilities[first:] = self.data.soft_labels
        self.weights[first:] = teacher.unlabelled_weight
        drawn = np.unique(texts[texts >= first])
        share = in_epoch(teacher.network_share, epoch)
        if share and len(drawn):
            self.probabilities[drawn] = torch.lerp(
                self.probabilities[drawn], network_labels(drawn), share
            )
