import pytest
import torch
from torch import Tensor

from model_export.classifier import Classifier, TrainingForm, multiplies_in_bf16, pad
from model_export.configuration import Cell, DropoutConfiguration, ModelConfiguration, Precision

CELLS: tuple[Cell, ...] = ("lstm", "gru", "rnn")
LENGTHS = (3, 11, 1, 7, 11)


def classifier(cell: Cell, layers: int = 2) -> Classifier:
    torch.manual_seed(0)
    configuration = ModelConfiguration(cell=cell, embedding_size=6, hidden_size=8, layers=layers)
    return Classifier(configuration, 50, 3)


def batch() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return pad([torch.randint(50, (n,), generator=draw).tolist() for n in LENGTHS])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_training_form_computes_the_packed_network_and_its_gradients(
    cell: Cell, layers: int
) -> None:
    packed = classifier(cell, layers)
    form = TrainingForm(packed, DropoutConfiguration()).eval()
    weights = torch.randn(len(LENGTHS), 3)

    def gradients(logits: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad((logits * weights).sum(), list(packed.parameters())))

    token_ids, lengths = batch()
    expected, found = packed(token_ids, lengths), form(token_ids, lengths)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(gradients(found), gradients(expected), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_half_precision_products_move_gradients_by_a_hundredth_at_most(cell: Cell) -> None:
    network = classifier(cell)
    token_ids, lengths = batch()

    def gradients(precision: Precision) -> Tensor:
        logits = TrainingForm(network, DropoutConfiguration(), precision).eval()(token_ids, lengths)
        assert logits.dtype == torch.float32
        found = torch.autograd.grad(logits.square().sum(), list(network.parameters()))
        return torch.cat([gradient.flatten() for gradient in found])

    exact, half = gradients("fp32"), gradients("bf16")
    assert torch.equal(half, exact) != multiplies_in_bf16("cpu")
    assert (half - exact).norm() < 0.01 * exact.norm()


@pytest.mark.parametrize("cell", CELLS)
def test_padding_and_company_do_not_change_logits(cell: Cell) -> None:
    network = classifier(cell).eval()
    token_ids, lengths = batch()
    garbage = token_ids.clone()
    for row, length in enumerate(lengths):
        garbage[row, length:] = 49
    together = network(garbage, lengths)
    for row, length in enumerate(lengths):
        alone = network(token_ids[row : row + 1, :length], lengths[row : row + 1])[0]
        torch.testing.assert_close(together[row], alone)


def test_dropout_acts_in_training_only() -> None:
    form = TrainingForm(classifier("lstm"), DropoutConfiguration())
    token_ids, lengths = batch()
    assert not torch.equal(form(token_ids, lengths), form(token_ids, lengths))
    form.eval()
    assert torch.equal(form(token_ids, lengths), form(token_ids, lengths))


def test_forget_gates_start_at_one_and_other_biases_at_zero() -> None:
    parameters = dict(classifier("lstm").recurrent.named_parameters())
    total = parameters["bias_ih_l0"] + parameters["bias_hh_l0"]  # (4 * hidden,)
    assert torch.equal(total[8:16], torch.ones(8))
    assert not total[:8].any()
    assert not total[16:].any()


def test_a_half_precision_embedding_still_gives_single_precision_logits() -> None:
    network = classifier("gru")
    network.embedding.half()
    assert network(*batch()).dtype == torch.float32
