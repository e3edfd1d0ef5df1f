"""The stated shapes are PyTorch's, and weights of others are told what was expected and given."""

import itertools

import pytest
import torch

from model_export.shape_contract import (
    ShapeContract,
    ShapeError,
    parameter_count,
    textbook_parameter_count,
)
from tests.model_export.recurrent_cases import MODULES, as_tuple

BATCH, TIME, FEATURES, HIDDEN = 3, 5, 2, 4
STACKS = pytest.mark.parametrize(
    ("cell", "layers", "bidirectional", "batch_first"),
    list(itertools.product(sorted(MODULES), (1, 2, 3, 4), (False, True), (False, True))),
)


def module(
    cell: str, layers: int = 1, bidirectional: bool = True, batch_first: bool = True
) -> torch.nn.RNNBase:
    made: torch.nn.RNNBase = MODULES[cell](
        FEATURES, HIDDEN, layers, bidirectional=bidirectional, batch_first=batch_first
    )
    return made


@STACKS
def test_the_stated_shapes_are_pytorchs(
    cell: str, layers: int, bidirectional: bool, batch_first: bool
) -> None:
    recurrent = module(cell, layers, bidirectional, batch_first)
    contract = ShapeContract(cell, FEATURES, HIDDEN, layers, bidirectional, batch_first)
    output, state = recurrent(torch.zeros(contract.input(BATCH, TIME)))
    assert tuple(output.shape) == contract.output(BATCH, TIME)
    assert all(tuple(part.shape) == contract.state(BATCH) for part in as_tuple(state))
    shapes = {name: tuple(value.shape) for name, value in recurrent.named_parameters()}
    assert contract.parameters() == shapes


@STACKS
def test_parameter_counts_are_pytorchs_with_two_biases_and_the_textbooks_with_one(
    cell: str, layers: int, bidirectional: bool, batch_first: bool
) -> None:
    parameters = dict(module(cell, layers, bidirectional, batch_first).named_parameters())
    contract = ShapeContract(cell, FEATURES, HIDDEN, layers, bidirectional, batch_first)
    one_bias = (value for name, value in parameters.items() if not name.startswith("bias_hh"))
    assert parameter_count(contract) == sum(value.numel() for value in parameters.values())
    assert textbook_parameter_count(contract) == sum(value.numel() for value in one_bias)


def test_a_bias_alone_in_rnn_and_lstm_does_what_two_do_but_not_in_the_gru() -> None:
    x = torch.randn(BATCH, TIME, FEATURES, generator=torch.Generator().manual_seed(0))
    changed = {}
    for cell in MODULES:
        torch.manual_seed(0)
        recurrent = module(cell)
        with torch.no_grad():
            before, _ = recurrent(x)
            for suffix in ("l0", "l0_reverse"):
                ih, hh = (recurrent.get_parameter(f"bias_{kind}_{suffix}") for kind in ("ih", "hh"))
                ih.add_(hh)
                hh.zero_()
            after, _ = recurrent(x)
        changed[cell] = not torch.allclose(before, after, atol=1e-6)
    assert changed == {"rnn": False, "lstm": False, "gru": True}


def test_wrong_parameters_are_named() -> None:
    contract = ShapeContract("gru", FEATURES, HIDDEN)
    shapes = contract.parameters()
    contract.check_parameters(shapes)
    with pytest.raises(ShapeError, match=r"weight_ih_l0: expected \(12, 2\), given \(16, 2\)"):
        contract.check_parameters({**shapes, "weight_ih_l0": (16, 2)})
    with pytest.raises(ShapeError, match=r"weight_ih_l1: expected no such parameter, given"):
        contract.check_parameters({**shapes, "weight_ih_l1": (12, 8)})
    del shapes["bias_hh_l0"]
    with pytest.raises(ShapeError, match=r"bias_hh_l0: expected \(12,\), given none"):
        contract.check_parameters(shapes)
