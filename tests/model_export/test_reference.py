"""The oracle: NumPy from the equations = PyTorch, cell by cell and layer by layer = its exports."""

import warnings
from collections.abc import Callable
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from model_export import reference
from model_export.reference import Array
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

CELL_MODULES = {
    "rnn": torch.nn.RNNCell,
    "gru": torch.nn.GRUCell,
    "lstm": torch.nn.LSTMCell,
}
PRECISIONS = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
CELLS = pytest.mark.parametrize("cell", sorted(MODULES))


class Packed(torch.nn.Module):
    """What is exported: pad and lengths in, packed inside, padded outputs and final states out."""

    def __init__(self, module: torch.nn.RNNBase) -> None:
        super().__init__()
        self.module = module

    def forward(self, padded: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, ...]:
        packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=True)
        output, state = self.module(packed)
        padded_output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
        return (padded_output, *as_tuple(state))


def longest_first(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    ordered = sorted(case.sequences, key=len, reverse=True)
    padded = torch.nn.utils.rnn.pad_sequence(ordered, batch_first=True)
    return padded, torch.tensor([len(sequence) for sequence in ordered])


def reference_run(case: Case, sequences: list[torch.Tensor]) -> tuple[list[Any], Any]:
    packed = reference.pack([numpy(sequence) for sequence in sequences])
    output, state = reference.run(reference.CELLS[case.cell], packed, case.parameters)
    return reference.unpack(output), state


def assert_exported_agrees(case: Case, forward: Callable[..., Any], dtype: torch.dtype) -> None:
    padded, lengths = longest_first(case)
    outputs, state = reference_run(case, sorted(case.sequences, key=len, reverse=True))
    padded_output, *final = forward(padded, lengths)
    for row, output, length in zip(padded_output, outputs, lengths.tolist(), strict=True):
        assert_close(row[:length], output, dtype)
    for actual, expected in zip(final, state, strict=True):
        assert_close(actual, expected, dtype)


@PRECISIONS
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_cells_equal_pytorchs_cells_step_by_step(data: st.DataObject, dtype: torch.dtype) -> None:
    case = data.draw(cases(dtype))
    features, hidden = case.module.input_size, case.module.hidden_size
    cell = CELL_MODULES[case.cell](features, hidden, dtype=dtype)
    weights = reference.layer_weights(case.parameters)[0][0]
    with torch.no_grad():
        for parameter, value in zip(
            (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh), weights, strict=True
        ):
            assert isinstance(parameter, torch.Tensor)
            parameter.copy_(torch.from_numpy(value))
        state = tuple(part[0] for part in case.initial)  # (batch, hidden) each
        expected = tuple(numpy(part) for part in state)
        for x in case.padded.unbind(1):  # (batch, features)
            state = as_tuple(cell(x, state if case.cell == "lstm" else state[0]))
            expected = reference.CELLS[case.cell](numpy(x), expected, weights)
            for actual, part in zip(state, expected, strict=True):
                assert part.dtype == numpy(x).dtype
                assert_close(actual, part, dtype)


@PRECISIONS
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_packed_layers_equal_pytorchs_in_outputs_and_both_states(
    data: st.DataObject, dtype: torch.dtype
) -> None:
    case = data.draw(cases(dtype))
    with torch.no_grad():
        output, state = case.module(case.torch_packed, case.torch_initial)
    expected, final = reference.run(
        reference.CELLS[case.cell], case.numpy_packed, case.parameters, case.numpy_initial
    )
    assert expected.batch_sizes == output.batch_sizes.tolist()
    for actual, rows in zip(unpacked(output), reference.unpack(expected), strict=True):
        assert_close(actual, rows, dtype)
    for part, tensor in zip(final, as_tuple(state), strict=True):
        assert_close(tensor, part, dtype)


@PRECISIONS
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_unpacked_pytorch_on_sequences_of_one_length_agrees(
    data: st.DataObject, dtype: torch.dtype
) -> None:
    case = data.draw(cases(dtype))
    shortest = min(len(sequence) for sequence in case.sequences)
    sequences = [sequence[:shortest] for sequence in case.sequences]
    with torch.no_grad():
        output, state = case.module(torch.stack(sequences))
    expected, final = reference_run(case, sequences)
    assert_close(output, np.stack(expected), dtype)
    for actual, part in zip(as_tuple(state), final, strict=True):
        assert_close(actual, part, dtype)


@PRECISIONS
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_torchscript_agrees_on_lengths_it_was_not_traced_with(
    data: st.DataObject, dtype: torch.dtype
) -> None:
    case = data.draw(cases(dtype))
    example = torch.zeros(2, 3, case.module.input_size, dtype=dtype), torch.tensor([3, 2])
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and warns that lengths are data
        traced = torch.jit.trace(Packed(case.module), example)  # type: ignore[no-untyped-call]
        assert_exported_agrees(case, traced, dtype)


@settings(max_examples=20, deadline=None)
@given(case=cases(torch.float32))
def test_onnx_runtime_agrees_on_lengths_it_was_not_exported_with(case: Case) -> None:
    session = onnxruntime.InferenceSession(onnx_bytes(case), providers=["CPUExecutionProvider"])

    def forward(padded: torch.Tensor, lengths: torch.Tensor) -> Any:
        return session.run(None, {"padded": numpy(padded), "lengths": lengths.numpy()})

    assert_exported_agrees(case, forward, torch.float32)


def onnx_bytes(case: Case) -> bytes:
    example = torch.zeros(2, 3, case.module.input_size), torch.tensor([3, 2])
    with warnings.catch_warnings(), NamedTemporaryFile() as file:
        warnings.simplefilter("ignore")  # the exporter announces its own retirement, at length
        torch.onnx.export(
            Packed(case.module).eval(),
            example,
            file.name,
            dynamo=False,
            input_names=["padded", "lengths"],
            dynamic_axes={"padded": {0: "batch", 1: "time"}, "lengths": {0: "batch"}},
        )
        return file.read()


def in_onnx_order(cell: str, weight: Array) -> Array:
    """``weight`` (gates · hidden, …) with its blocks moved from PyTorch's order to ONNX's."""
    gates = reference.GATES[cell]
    blocks = dict(zip(gates, np.split(weight, len(gates)), strict=True))
    return np.concatenate([blocks[gate] for gate in reference.ONNX_GATES[cell]])


@CELLS
def test_onnx_holds_the_weights_in_the_gate_order_of_the_reference(cell: str) -> None:
    case = make_case(cell, [3], layers=1, bidirectional=True, dtype=torch.float32)
    graph = onnx.load_from_string(onnx_bytes(case)).graph
    (node,) = (node for node in graph.node if node.op_type == cell.upper())
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    w, r, b = (constants[name] for name in node.input[1:4])  # (directions, gates · hidden, …) each
    for direction, weights in enumerate(reference.layer_weights(case.parameters)[0]):
        w_ih, w_hh, b_ih, b_hh = (in_onnx_order(cell, weight) for weight in weights)
        np.testing.assert_array_equal(w[direction], w_ih)
        np.testing.assert_array_equal(r[direction], w_hh)
        np.testing.assert_array_equal(b[direction], np.concatenate([b_ih, b_hh]))


def test_final_states_are_stacked_layer_by_layer_and_forward_before_backward() -> None:
    case = make_case("lstm", [4, 2], layers=2, bidirectional=True)
    output, (h, c) = reference.run(reference.lstm_cell, case.numpy_packed, case.parameters)
    hidden = case.module.hidden_size
    assert h.shape == c.shape == (4, 2, hidden)
    for place, rows in enumerate(reference.unpack(output)):
        np.testing.assert_array_equal(h[2, place], rows[-1, :hidden])  # forward ends at the end
        np.testing.assert_array_equal(h[3, place], rows[0, hidden:])  # backward at the beginning
        assert not np.allclose(h[2], h[0])
