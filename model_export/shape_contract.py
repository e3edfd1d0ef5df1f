"""The one place that states the shapes of RNN, GRU and LSTM and counts their parameters.

Shapes are those of PyTorch's documentation of ``torch.nn.LSTM``, ``GRU`` and ``RNN``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from model_export.errors import ModelExportError
from service.engine.bundle import Manifest

GATES = {"rnn": 1, "gru": 3, "lstm": 4}

Shape = tuple[int, ...]


class ShapeError(ModelExportError, ValueError):
    """Weights do not have the stated shapes; the message names the expected and the given one."""


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
        """The shape of h, and of the LSTM's c; ``batch_first`` does not move the batch here."""
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
