"""The stated shapes are PyTorch's, and whoever breaks them reads what was expected and given."""

import itertools
import re

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
    contract = ShapeContract.of(recurrent)
    assert contract == ShapeContract(cell, FEATURES, HIDDEN, layers, bidirectional, batch_first)
    x = torch.zeros(contract.input(BATCH, TIME))
    assert contract.check_input(x) == (BATCH, TIME)
    output, state = recurrent(x)
    assert tuple(output.shape) == contract.output(BATCH, TIME)
    assert all(tuple(part.shape) == contract.state(BATCH) for part in as_tuple(state))
    assert contract.check_state(state, BATCH) == as_tuple(state)
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


@pytest.mark.parametrize(
    ("batch_first", "shape", "message"),
    [
        (True, (3, 5, 9), "input: expected (batch, time, 2), given (3, 5, 9)"),
        (True, (3, 2, 5), "input: expected (batch, time, 2), given (3, 2, 5)"),
        (False, (5, 3, 9), "input: expected (time, batch, 2), given (5, 3, 9)"),
        (True, (5, 2), "input: expected (batch, time, 2), given (5, 2)"),
        (
            True,
            (3, 0, 2),
            "input: expected (batch, time, 2) without an empty axis, given (3, 0, 2)",
        ),
    ],
)
def test_a_wrong_input_axis_is_named(
    batch_first: bool, shape: tuple[int, ...], message: str
) -> None:
    contract = ShapeContract("lstm", FEATURES, HIDDEN, batch_first=batch_first)
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        contract.check_input(torch.zeros(shape))


STATE = torch.zeros(2, BATCH, HIDDEN)


@pytest.mark.parametrize(
    ("cell", "state", "message"),
    [
        ("gru", tuple(STATE), "one tensor h (2, 3, 4), given a tuple of 2: one tensor (3, 4), one"),
        ("gru", (STATE, STATE), "one tensor h (2, 3, 4), given a tuple of 2: one tensor (2, 3, 4)"),
        ("rnn", STATE[:1], "one tensor h (2, 3, 4), given one tensor (1, 3, 4)"),
        ("lstm", STATE, "a tuple (h, c), each (2, 3, 4), given one tensor (2, 3, 4)"),
        ("lstm", (STATE,), "a tuple (h, c), each (2, 3, 4), given a tuple of 1: one tensor"),
        (
            "lstm",
            (STATE, STATE.mT),
            "each (2, 3, 4), given a tuple of 2: one tensor (2, 3, 4), one",
        ),
        ("lstm", (STATE, None), "given a tuple of 2: one tensor (2, 3, 4), NoneType"),
    ],
)
def test_a_wrong_state_is_named(cell: str, state: object, message: str) -> None:
    contract = ShapeContract(cell, FEATURES, HIDDEN)
    with pytest.raises(ShapeError, match=re.escape(message)):
        contract.check_state(state, BATCH)


def test_the_grus_state_unpacked_as_two_slips_through_python_but_not_through_the_contract() -> None:
    recurrent = module("gru")
    _, (h, c) = recurrent(torch.zeros(BATCH, TIME, FEATURES))  # no complaint: the axis is 2 long
    with pytest.raises(ShapeError, match="state of gru: expected one tensor"):
        ShapeContract.of(recurrent).check_state((h, c), BATCH)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([5, 0, 1]), "lengths[1]: expected 1 to 5, the input's time axis, given 0"),
        (torch.tensor([5, 2, 6]), "lengths[2]: expected 1 to 5, the input's time axis, given 6"),
        (torch.tensor([5, 2]), "expected int64 (3,), one for each of the batch, given int64 (2,)"),
        (torch.ones(3), "expected int64 (3,), one for each of the batch, given float32 (3,)"),
        (
            torch.empty(3, dtype=torch.int64, device="meta"),
            "lengths: expected on the cpu, where packing reads them, given on meta",
        ),
    ],
)
def test_wrong_lengths_are_named(lengths: torch.Tensor, message: str) -> None:
    contract = ShapeContract("lstm", FEATURES, HIDDEN)
    contract.check_lengths(torch.tensor([TIME, 1, 2]), BATCH, TIME)
    with pytest.raises(ShapeError, match=re.escape(message)):
        contract.check_lengths(lengths, BATCH, TIME)


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
