"""The losses by which labels are learned, and how their gradients reach the network."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from model_export.classifier import TrainingForm


@dataclass(frozen=True)
class LabelledBatch:
    """Padded ids, their lengths, and what is to be answered with which weight, on one device."""

    token_ids: Tensor  # (batch, time)
    lengths: Tensor  # (batch,)
    targets: Tensor  # (batch, labels)
    weights: Tensor  # (batch,)


class ClassificationLoss:
    """Weighted cross entropy of the final states, of the pooled ones and of a moved batch.

    ``pooled_weight`` is that of a second loss on the states' mean over time, ``adversarial_weight``
    that of both on the moved batch.
    """

    def __init__(self, form: TrainingForm, pooled_weight: float, adversarial_weight: float) -> None:
        self.form, self.pooled_weight = form, pooled_weight
        self.adversarial_weight = adversarial_weight

    def learn(self, batch: LabelledBatch, scale: float, adversarial_norm: float) -> Tensor:
        """Add the gradients of a batch's summed loss times ``scale``; returns that product.

        With ``adversarial_norm`` the batch is learned a second time, moved so far.
        """
        features = self.form.embed(batch.token_ids)  # (time, batch, embedding)
        clean, gradient = self.backward(features, batch, scale)
        if adversarial_norm:
            # From the same features, so that both losses share the dropout of the embedding.
            moved = features + perturbation(
                features.detach(), gradient, batch.lengths, adversarial_norm
            )
            _, second = self.backward(moved, batch, scale * self.adversarial_weight)
            gradient = gradient + second
        features.backward(gradient)  # type: ignore[no-untyped-call]
        return clean

    def backward(
        self, features: Tensor, batch: LabelledBatch, scale: float
    ) -> tuple[Tensor, Tensor]:
        """Gradients for all but the embedding; returns the loss and its gradient at features."""
        features = features.detach().requires_grad_()
        loss = self.loss(features, batch) * scale
        loss.backward()  # type: ignore[no-untyped-call]
        assert features.grad is not None
        return loss.detach(), features.grad

    def loss(self, features: Tensor, batch: LabelledBatch) -> Tensor:
        """The summed loss of a batch embedded as ``features`` (time, batch, embedding)."""
        outputs = self.form.outputs(features, batch.lengths)  # (time, batch, 2 * hidden)
        logits = self.form.linear(self.form.final_states(outputs, batch.lengths))
        loss = weighted_loss(logits, batch)
        if self.pooled_weight:
            # States everywhere learn to carry the opinion, so gradients need not cross the text.
            pooled = self.form.linear(mean_over_time(outputs, batch.lengths))
            loss = loss + self.pooled_weight * weighted_loss(pooled, batch)
        return loss


def weighted_loss(logits: Tensor, batch: LabelledBatch) -> Tensor:
    return (cross_entropy(logits, batch.targets, reduction="none") * batch.weights).sum()


def mean_over_time(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Mean states (batch, 2 * hidden) of outputs (time, batch, 2 * hidden) without the padding."""
    return (outputs * inside_texts(outputs, lengths)).sum(0) / lengths.unsqueeze(1)


def perturbation(features: Tensor, gradient: Tensor, lengths: Tensor, norm: float) -> Tensor:
    """Along each text's gradient (time, batch, embedding), ``norm`` times its features' norm long.

    The adversarial direction of Miyato, Dai & Goodfellow (ICLR 2017), in units of the text.
    """
    size = (features * inside_texts(features, lengths)).square().sum((0, 2)).sqrt()  # (batch,)
    steepness = gradient.square().sum((0, 2)).sqrt().clamp(min=1e-12)  # (batch,)
    return gradient * (norm * size / steepness).unsqueeze(1)


def inside_texts(features: Tensor, lengths: Tensor) -> Tensor:
    """Which steps of features (time, batch, size) are not padding: bool (time, batch, 1)."""
    steps = torch.arange(features.shape[0], device=lengths.device).unsqueeze(1)
    return (steps < lengths).unsqueeze(2)
