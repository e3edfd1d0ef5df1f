"""RNN, GRU and LSTM from their equations, in NumPy alone: what every other backend must agree with.

The LSTM is Hochreiter & Schmidhuber, "Long Short-Term Memory" (1997), with the forget gate of
Gers, Schmidhuber & Cummins (2000); the GRU is Cho et al., "Learning Phrase Representations using
RNN Encoder–Decoder" (2014). Layout, names, gate order, the second bias and the GRU's reset gate
after its product follow PyTorch's documentation of ``torch.nn.LSTM``, ``GRU`` and ``RNN``.
The dtype of the input and the weights (float64 or float32) is the dtype of all arithmetic.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
State = tuple[Array, ...]  # (h,) for RNN and GRU, (h, c) for LSTM


class Weights(NamedTuple):
    """One layer in one direction; its gates lie one below the other."""

    w_ih: Array  # (gates · hidden, input)
    w_hh: Array  # (gates · hidden, hidden)
    b_ih: Array  # (gates · hidden)
    b_hh: Array  # (gates · hidden)


Cell = Callable[[Array, State, Weights], State]


def sigmoid(x: Array) -> Array:
    y: Array = 0.5 * (1 + np.tanh(0.5 * x))  # equal to 1 / (1 + exp(-x)), and never overflows
    return y


def rnn_cell(x: Array, state: State, w: Weights) -> State:
    (h,) = state  # (batch, hidden)
    return (np.tanh(x @ w.w_ih.T + w.b_ih + h @ w.w_hh.T + w.b_hh),)


def gru_cell(x: Array, state: State, w: Weights) -> State:
    (h,) = state  # (batch, hidden)
    x_r, x_z, x_n = np.split(x @ w.w_ih.T + w.b_ih, 3, axis=1)
    h_r, h_z, h_n = np.split(h @ w.w_hh.T + w.b_hh, 3, axis=1)
    r = sigmoid(x_r + h_r)  # reset
    z = sigmoid(x_z + h_z)  # update
    n = np.tanh(x_n + r * h_n)  # new: r scales the product and its bias, not h before the product
    return ((1 - z) * n + z * h,)


def lstm_gates(x: Array, h: Array, w: Weights) -> tuple[Array, Array, Array, Array]:
    i, f, g, o = np.split(x @ w.w_ih.T + w.b_ih + h @ w.w_hh.T + w.b_hh, 4, axis=1)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)  # input, forget, candidate, output


def lstm_cell(x: Array, state: State, w: Weights) -> State:
    h, c = state  # (batch, hidden) each
    i, f, g, o = lstm_gates(x, h, w)
    c = f * c + i * g
    return o * np.tanh(c), c


CELLS: dict[str, Cell] = {"rnn": rnn_cell, "gru": gru_cell, "lstm": lstm_cell}
GATES = {"rnn": "h", "gru": "rzn", "lstm": "ifgo"}  # PyTorch's order
# ONNX writes the LSTM's candidate g as c; its GRU needs linear_before_reset=1 to be this one.
ONNX_GATES = {"rnn": "h", "gru": "zrn", "lstm": "iofg"}


class PackedBatch(NamedTuple):
    """Sequences without padding: step 0 of all of them, longest first, then step 1, …"""

    data: Array  # (sum of lengths, features)
    batch_sizes: list[int]  # (longest length): how many sequences have a step t
    order: list[int]  # (batch): which sequence of the caller's stands at each place


def pack(sequences: Sequence[Array]) -> PackedBatch:
    """Pack sequences (length, features) given in any order; the lengths must be at least 1."""
    order = sorted(range(len(sequences)), key=lambda place: -len(sequences[place]))
    steps = range(len(sequences[order[0]]))
    running = [[place for place in order if len(sequences[place]) > t] for t in steps]
    data = np.stack([sequences[place][t] for t in steps for place in running[t]])
    return PackedBatch(data, [len(places) for places in running], order)


def unpack(packed: PackedBatch) -> list[Array]:
    """The sequences (length, features) in the caller's order."""
    starts = np.cumsum([0, *packed.batch_sizes])
    rows: list[list[Array]] = [[] for _ in packed.order]
    for start, size in zip(starts, packed.batch_sizes, strict=False):
        for place, row in zip(packed.order, packed.data[start : start + size], strict=False):
            rows[place].append(row)
    return [np.stack(steps) for steps in rows]


def scan(
    cell: Cell, x: Array, batch_sizes: list[int], state: State, w: Weights, backward: bool
) -> tuple[Array, State]:
    """One layer in one direction over packed rows; step t is computed for those that have one.

    Longest first means that these are the first rows of the state. Forward, a sequence that has
    ended keeps its state; backward, one that has not begun keeps its initial state until its own
    last step. So neither direction ever sees padding.
    """
    state = tuple(part.copy() for part in state)  # (batch, hidden) each
    output = np.empty((len(x), state[0].shape[1]), x.dtype)  # (sum of lengths, hidden)
    starts = np.cumsum([0, *batch_sizes])
    for t in reversed(range(len(batch_sizes))) if backward else range(len(batch_sizes)):
        size, rows = batch_sizes[t], slice(starts[t], starts[t + 1])
        for part, new in zip(state, cell(x[rows], tuple(p[:size] for p in state), w), strict=True):
            part[:size] = new
        output[rows] = state[0][:size]
    return output, state


def layer_weights(parameters: Mapping[str, Array]) -> list[list[Weights]]:
    """PyTorch's flat names (``weight_ih_l0``, ``bias_hh_l1_reverse``) as [layer][direction]."""

    def weights(suffix: str) -> Weights:
        names = ("weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l")
        return Weights(*(parameters[name + suffix] for name in names))

    directions = ("", "_reverse") if "weight_ih_l0_reverse" in parameters else ("",)
    depth = sum(name.startswith("weight_ih_l") for name in parameters) // len(directions)
    return [[weights(f"{layer}{direction}") for direction in directions] for layer in range(depth)]


def run(
    cell: Cell, packed: PackedBatch, parameters: Mapping[str, Array], initial: State | None = None
) -> tuple[PackedBatch, State]:
    """Stacked layers, one or two directions, as ``torch.nn.LSTM`` and its siblings compute them.

    ``initial`` and the returned final state are (layers · directions, batch, hidden) for each of h
    and c, in the caller's order of sequences; without ``initial`` they start from zero. The output
    holds the last layer's hidden states, (sum of lengths, directions · hidden).
    """
    layers = layer_weights(parameters)
    hidden, batch = layers[0][0].w_hh.shape[1], len(packed.order)
    if initial is None:
        zeros = np.zeros((sum(map(len, layers)), batch, hidden), packed.data.dtype)
        initial = (zeros, zeros) if cell is lstm_cell else (zeros,)
    final = tuple(np.empty_like(part) for part in initial)
    x, row = packed.data, 0
    for directions in layers:
        outputs = []
        for backward, w in enumerate(directions):
            start = tuple(part[row, packed.order] for part in initial)  # (batch, hidden) each
            output, end = scan(cell, x, packed.batch_sizes, start, w, bool(backward))
            outputs.append(output)
            for part, value in zip(final, end, strict=True):
                part[row, packed.order] = value
            row += 1
        x = np.concatenate(outputs, axis=1)  # (sum of lengths, directions · hidden)
    return packed._replace(data=x), final
