import pytest
import torch

from model_export.calibration import (
    expected_calibration_error,
    fit_temperature,
    fold_temperature,
    reliability,
)
from model_export.classifier import Classifier, pad
from model_export.configuration import ModelConfiguration


def overconfident() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits three times too large for labels drawn from them."""
    draw = torch.Generator().manual_seed(0)
    honest = torch.randn(20_000, 2, generator=draw)
    labels = torch.multinomial(honest.softmax(1), 1, generator=draw).squeeze(1)
    return honest * 3, labels


def test_the_temperature_undoes_overconfidence() -> None:
    logits, labels = overconfident()
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(3, rel=0.05)
    before = expected_calibration_error(reliability(logits.softmax(1), labels))
    after = expected_calibration_error(reliability((logits / temperature).softmax(1), labels))
    assert before > 0.1
    assert after < 0.02


def test_folding_divides_the_logits() -> None:
    network = Classifier(ModelConfiguration(embedding_size=4, hidden_size=4), 10, 2).eval()
    batch = pad([[1, 2, 3], [4]])
    with torch.inference_mode():
        before = network(*batch)
        fold_temperature(network, 2.5)
        torch.testing.assert_close(network(*batch), before / 2.5)


def test_every_text_lies_in_one_bin() -> None:
    logits, labels = overconfident()
    bins = reliability(logits.softmax(1), labels)
    assert sum(found.texts for found in bins) == len(labels)
    assert all(found.low < found.confidence <= found.low + 1 / 15 + 1e-6 for found in bins)


def test_the_calibration_error_is_the_mean_gap() -> None:
    probabilities = torch.tensor([[0.9, 0.1]] * 10)
    labels = torch.tensor([0] * 7 + [1] * 3)
    found = expected_calibration_error(reliability(probabilities, labels))
    assert found == pytest.approx(0.2, abs=1e-6)
