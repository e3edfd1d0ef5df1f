"""Packing, proven: a packed batch is its sequences run alone, at no cost for the padding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.flop_counter import FlopCounterMode

from model_export import reference
from tests.model_export.recurrent_cases import (
    MODULES,
    Case,
    as_tuple,
    assert_close,
    cases,
    make_case,
    numpy,
    unpacked,
)

CELLS = pytest.mark.parametrize("cell", sorted(MODULES))
LENGTHS = [3, 7, 1, 5]
EXACT = torch.float64


def gradients(case: Case) -> dict[str, torch.Tensor]:
    """Gradients of all parameters since the last call."""
    found = {}
    for name, parameter in case.module.named_parameters():
        assert parameter.grad is not None
        found[name], parameter.grad = parameter.grad, None
    return found


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_a_packed_batch_equals_each_sequence_alone(case: Case) -> None:
    output, state = case.module(case.torch_packed)
    together = unpacked(output)
    for place, sequence in enumerate(case.sequences):
        alone, alone_state = case.module(sequence)
        assert_close(together[place].detach(), alone.detach(), EXACT)
        for part, alone_part in zip(as_tuple(state), as_tuple(alone_state), strict=True):
            assert_close(part[:, place].detach(), alone_part.detach(), EXACT)


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_its_gradients_are_the_sum_of_each_sequences_alone(case: Case) -> None:
    padded = case.padded.requires_grad_()
    packed = pack_padded_sequence(padded, case.lengths, batch_first=True, enforce_sorted=False)
    output, state = case.module(packed)
    # Squares make every gradient depend on every value.
    (output.data.square().sum() + sum(part.square().sum() for part in as_tuple(state))).backward()
    together = gradients(case)
    assert padded.grad is not None
    for place, sequence in enumerate(case.sequences):
        sequence.requires_grad_()
        output, state = case.module(sequence)
        (output.square().sum() + sum(part.square().sum() for part in as_tuple(state))).backward()
        assert_close(padded.grad[place, : len(sequence)], sequence.grad, EXACT)
        assert (padded.grad[place, len(sequence) :] == 0).all()
    for name, summed in gradients(case).items():
        np.testing.assert_allclose(together[name], summed, rtol=1e-12, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(case=cases(), data=st.data())
def test_the_order_of_the_sequences_does_not_matter(case: Case, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(case.sequences))))
    shuffled = Case(case.cell, case.module, [case.sequences[k] for k in order], case.initial)
    with torch.no_grad():
        output, state = case.module(case.torch_packed)
        shuffled_output, shuffled_state = case.module(shuffled.torch_packed)
    rows, shuffled_rows = unpacked(output), unpacked(shuffled_output)
    for place, original in enumerate(order):
        assert_close(shuffled_rows[place], rows[original], EXACT)
    for part, shuffled_part in zip(as_tuple(state), as_tuple(shuffled_state), strict=True):
        assert_close(shuffled_part, part[:, order], EXACT)


@CELLS
def test_pytorch_spends_no_arithmetic_on_padding(cell: str) -> None:
    case = make_case(cell, LENGTHS, layers=2)
    matrices = sum(numpy(p).size for name, p in case.module.named_parameters() if "weight" in name)
    with FlopCounterMode(display=False) as packed:
        case.module(case.torch_packed)
    with FlopCounterMode(display=False) as padded:
        case.module(case.padded)
    # A product with a matrix costs one multiplication and one addition per weight and token.
    assert packed.get_total_flops() == 2 * matrices * sum(LENGTHS)
    assert padded.get_total_flops() == 2 * matrices * max(LENGTHS) * len(LENGTHS)


@CELLS
def test_the_reference_takes_one_step_per_token(cell: str) -> None:
    case = make_case(cell, LENGTHS, layers=2)
    steps = []

    def counting(
        x: reference.Array, state: reference.State, w: reference.Weights
    ) -> reference.State:
        steps.append(len(x))
        return reference.CELLS[cell](x, state, w)

    packed = case.numpy_packed
    zeros = tuple(np.zeros_like(part) for part in case.numpy_initial)
    reference.run(counting, packed, case.parameters, zeros)
    assert sum(packed.batch_sizes) == len(packed.data) == sum(LENGTHS)
    assert sum(steps) == 2 * 2 * sum(LENGTHS)  # layers, directions


@CELLS
def test_nothing_of_the_padding_reaches_the_answer(cell: str) -> None:
    case = make_case(cell, LENGTHS, layers=2)
    poisoned = case.padded
    for row, length in zip(poisoned, LENGTHS, strict=True):
        row[length:] = torch.nan
    packed = pack_padded_sequence(poisoned, case.lengths, batch_first=True, enforce_sorted=False)
    with torch.no_grad():
        output, state = case.module(packed)
        clean, clean_state = case.module(case.torch_packed)
    assert torch.equal(output.data, clean.data)
    for part, clean_part in zip(as_tuple(state), as_tuple(clean_state), strict=True):
        assert torch.equal(part, clean_part)


@CELLS
def test_padding_without_packing_gives_wrong_answers(cell: str) -> None:
    """Zeros at the end are input like any other, and the backward direction reads them first."""
    case = make_case(cell, LENGTHS, layers=2)
    with torch.no_grad():
        output, state = case.module(case.torch_packed)
        padded_output, padded_state = case.module(case.padded)
    right, wrong = as_tuple(state)[0][-2:], as_tuple(padded_state)[0][-2:]  # (2, batch, hidden)
    longest = LENGTHS.index(max(LENGTHS))
    for place, rows in enumerate(unpacked(output)):
        error = (wrong[:, place] - right[:, place]).abs().amax(1)  # (2)
        output_error = (padded_output[place, : len(rows)] - rows).abs().max()
        if place == longest:
            assert_close(error, np.zeros(2), EXACT)  # only the text without padding comes out right
        else:
            assert (error > 1e-3).all()  # both final states, which are all the classifier reads
            assert output_error > 1e-3  # and no mask over the outputs could repair it
