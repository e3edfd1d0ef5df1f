"""Probabilities that mean what they say: a temperature fitted on dev texts and folded in."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from model_export.classifier import Classifier


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The divisor of the logits with the least cross entropy (Guo et al., ICML 2017)."""
    log_temperature = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = cross_entropy(logits / log_temperature.exp(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    # A tiny dev set that is answered without error would ask for infinite certainty.
    return float(log_temperature.detach().exp().clamp(0.5, 20.0))


def fold_temperature(classifier: Classifier, temperature: float) -> None:
    """Divide the logits by the temperature inside the linear layer, for good."""
    with torch.no_grad():
        classifier.linear.weight.div_(temperature)
        classifier.linear.bias.div_(temperature)


@dataclass(frozen=True)
class Bin:
    """Texts whose highest probability lies in (``low``, ``low`` + the width of a bin]."""

    low: float
    texts: int
    confidence: float
    accuracy: float


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> list[Bin]:
    """Mean confidence against accuracy in bins of equal width; empty bins are left out."""
    confidence, predicted = probabilities.max(1)  # (texts,)
    correct = (predicted == labels).double()
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1  # (texts,)
    found = []
    for number in range(bins):
        inside = index == number
        if inside.any():
            found.append(
                Bin(
                    number / bins,
                    int(inside.sum()),
                    float(confidence[inside].double().mean()),
                    float(correct[inside].mean()),
                )
            )
    return found


def expected_calibration_error(bins: list[Bin]) -> float:
    """Mean distance of confidence and accuracy over texts (0 to 1; Guo et al., ICML 2017)."""
    total = sum(found.texts for found in bins)
    return sum(found.texts * abs(found.confidence - found.accuracy) for found in bins) / max(
        1, total
    )
