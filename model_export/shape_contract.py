"""The one place that states the shapes of RNN, GRU and LSTM, checks them and counts parameters.

Shapes are those of PyTorch's documentation of ``torch.nn.LSTM``, ``GRU`` and ``RNN``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from model_export.errors import ModelExportError
from service.engine.bundle import Manifest

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
CELL_OF_MODE = {"RNN_TANH": "rnn", "RNN_RELU": "rnn", "GRU": "gru", "LSTM": "lstm"}

Shape = tuple[int, ...]


class ShapeError(ModelExportError, ValueError):
    """A tensor does not keep the contract; the message names the expected and the given shape."""


@dataclass(frozen=True)
class ShapeContract:
    """Shapes of a stack of recurrent layers. ``cell`` is ``rnn``, ``gru`` or ``lstm``."""

    cell: str
    input_size: int
    hidden_size: int
    layers: int = 1
    bidirectional: bool = True
    batch_first: bool = True

    @classmethod
    def of(cls, module: torch.nn.RNNBase) -> "ShapeContract":
        return cls(
            CELL_OF_MODE[module.mode],
            module.input_size,
            module.hidden_size,
            module.num_layers,
            module.bidirectional,
            module.batch_first,
        )

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> "ShapeContract":
        sizes, bidirectional = manifest.sizes, manifest.sizes.directions == 2
        return cls(manifest.cell, sizes.embedding, sizes.hidden, sizes.layers, bidirectional)

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def input(self, batch: int, time: int) -> Shape:
        return (*self._leading(batch, time), self.input_size)

    def output(self, batch: int, time: int) -> Shape:
        return (*self._leading(batch, time), self.directions * self.hidden_size)

    def state(self, batch: int) -> Shape:
        """The shape of h, and of the LSTM's c: batch_first does not move the batch here."""
        return (self.layers * self.directions, batch, self.hidden_size)

    def parameters(self, bias: bool = True) -> dict[str, Shape]:
        """Every parameter's shape, by PyTorch's name."""
        rows = GATES[self.cell] * self.hidden_size
        shapes: dict[str, Shape] = {}
        for layer in range(self.layers):
            width = self.directions * self.hidden_size if layer else self.input_size
            for suffix in ("", "_reverse")[: self.directions]:
                shapes[f"weight_ih_l{layer}{suffix}"] = (rows, width)
                shapes[f"weight_hh_l{layer}{suffix}"] = (rows, self.hidden_size)
                if bias:
                    shapes[f"bias_ih_l{layer}{suffix}"] = (rows,)
                    shapes[f"bias_hh_l{layer}{suffix}"] = (rows,)
        return shapes

    def check_input(self, given: torch.Tensor) -> tuple[int, int]:
        """Batch and time of an input; raises ShapeError."""
        axes = ("batch", "time") if self.batch_first else ("time", "batch")
        expected = f"({axes[0]}, {axes[1]}, {self.input_size})"
        if given.dim() != 3 or given.shape[2] != self.input_size:
            raise ShapeError(f"input: expected {expected}, given {_shape(given)}")
        first, second = given.shape[:2]
        if not (first and second):
            raise ShapeError(
                f"input: expected {expected} without an empty axis, given {_shape(given)}"
            )
        return (first, second) if self.batch_first else (second, first)

    def check_lengths(self, given: torch.Tensor, batch: int, time: int) -> None:
        """Lengths that ``pack_padded_sequence`` takes; raises ShapeError."""
        if given.device.type != "cpu":
            raise ShapeError(
                f"lengths: expected on the cpu, where packing reads them, given on {given.device}"
            )
        if given.dtype != torch.int64 or tuple(given.shape) != (batch,):
            raise ShapeError(
                f"lengths: expected int64 ({batch},), one for each of the batch,"
                f" given {str(given.dtype).removeprefix('torch.')} {_shape(given)}"
            )
        for place, length in enumerate(given.tolist()):
            if not 1 <= length <= time:
                raise ShapeError(
                    f"lengths[{place}]: expected 1 to {time}, the input's time axis, given {length}"
                )

    def check_state(self, given: Any, batch: int) -> tuple[torch.Tensor, ...]:
        """The state as ``(h,)`` or the LSTM's ``(h, c)``; raises ShapeError.

        Also for what a module returned: ``output, (h, c) = gru(x)`` fails only by luck, because a
        single state whose first axis is 2 unpacks into two halves without complaint.
        """
        expected = self.state(batch)
        if self.cell == "lstm":
            form, fits = f"a tuple (h, c), each {expected}", _is_tensors(given, 2)
        else:
            form, fits = f"one tensor h {expected}", isinstance(given, torch.Tensor)
        parts = given if isinstance(given, tuple) else (given,)
        if not fits or any(tuple(part.shape) != expected for part in parts):
            raise ShapeError(f"state of {self.cell}: expected {form}, given {_form(given)}")
        return parts

    def check_parameters(self, given: Mapping[str, Shape]) -> None:
        """Raises ShapeError when a parameter is missing, unknown or of another shape."""
        expected = self.parameters()
        for name in sorted(expected.keys() | given.keys()):
            if expected.get(name) != given.get(name):
                raise ShapeError(
                    f"{name}: expected {expected.get(name, 'no such parameter')},"
                    f" given {given.get(name, 'none')}"
                )

    def _leading(self, batch: int, time: int) -> Shape:
        return (batch, time) if self.batch_first else (time, batch)


def parameter_count(contract: ShapeContract) -> int:
    """What PyTorch holds: for each layer and direction G·H·(I + H) weights and 2·G·H biases."""
    gates, hidden = GATES[contract.cell], contract.hidden_size
    widths = [contract.input_size] + [contract.directions * hidden] * (contract.layers - 1)
    per_direction = [gates * hidden * (width + hidden) + 2 * gates * hidden for width in widths]
    return contract.directions * sum(per_direction)


def textbook_parameter_count(contract: ShapeContract) -> int:
    """The textbook's G·H·(I + H) + G·H: one bias for each unit of each gate.

    PyTorch keeps b_ih and b_hh apart, as cuDNN does. In RNN and LSTM only their sum acts, so one of
    the two is redundant; in the GRU the reset gate scales the candidate's b_hh alone.
    """
    spare = contract.layers * contract.directions * GATES[contract.cell] * contract.hidden_size
    return parameter_count(contract) - spare


def _is_tensors(given: Any, count: int) -> bool:
    return (
        isinstance(given, tuple)
        and len(given) == count
        and all(isinstance(part, torch.Tensor) for part in given)
    )


def _shape(tensor: torch.Tensor) -> str:
    return str(tuple(tensor.shape))


def _form(given: Any) -> str:
    if isinstance(given, torch.Tensor):
        return f"one tensor {_shape(given)}"
    if isinstance(given, tuple):
        return f"a tuple of {len(given)}: " + ", ".join(_form(part) for part in given)
    return type(given).__name__
