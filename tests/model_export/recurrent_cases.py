"""Random recurrent modules and sequences, and the bridge between PyTorch's tensors and NumPy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
    pad_sequence,
)

from model_export.reference import Array, PackedBatch, State, pack

MODULES = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}


@dataclass(frozen=True)
class Case:
    cell: str
    module: torch.nn.RNNBase
    sequences: list[torch.Tensor]  # (length, features) each, in any order of lengths
    initial: tuple[torch.Tensor, ...]  # (layers · directions, batch, hidden) for each of h and c

    @property
    def parameters(self) -> dict[str, Array]:
        return {name: numpy(value) for name, value in self.module.named_parameters()}

    @property
    def lengths(self) -> torch.Tensor:
        return torch.tensor([len(sequence) for sequence in self.sequences])

    @property
    def padded(self) -> torch.Tensor:
        return pad_sequence(self.sequences, batch_first=True)  # (batch, time, features)

    @property
    def torch_packed(self) -> PackedSequence:
        return pack_padded_sequence(
            self.padded, self.lengths, batch_first=True, enforce_sorted=False
        )

    @property
    def numpy_packed(self) -> PackedBatch:
        return pack([numpy(sequence) for sequence in self.sequences])

    @property
    def numpy_initial(self) -> State:
        return tuple(numpy(part) for part in self.initial)

    @property
    def torch_initial(self) -> Any:
        return self.initial if self.cell == "lstm" else self.initial[0]


def numpy(tensor: torch.Tensor) -> Array:
    array: Array = tensor.detach().numpy()
    return array


def as_tuple(state: Any) -> tuple[torch.Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def unpacked(packed: PackedSequence) -> list[torch.Tensor]:
    padded, lengths = pad_packed_sequence(packed, batch_first=True)
    return [rows[:length] for rows, length in zip(padded, lengths.tolist(), strict=True)]


def make_case(
    cell: str,
    lengths: list[int],
    *,
    features: int = 3,
    hidden: int = 4,
    layers: int = 1,
    bidirectional: bool = True,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    scale: float = 1.0,
) -> Case:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return scale * torch.randn(*shape, dtype=dtype, generator=generator)

    module = MODULES[cell](features, hidden, layers, batch_first=True, bidirectional=bidirectional)
    module = module.to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(normal(*parameter.shape))
    rows = layers * (2 if bidirectional else 1)
    states = 2 if cell == "lstm" else 1
    return Case(
        cell,
        module,
        [normal(length, features) for length in lengths],
        tuple(normal(rows, len(lengths), hidden) for _ in range(states)),
    )


@st.composite
def cases(draw: st.DrawFn, dtype: torch.dtype = torch.float64) -> Case:
    return make_case(
        draw(st.sampled_from(sorted(MODULES))),
        draw(st.lists(st.integers(1, 7), min_size=1, max_size=5)),
        features=draw(st.integers(1, 5)),
        hidden=draw(st.integers(1, 6)),
        layers=draw(st.integers(1, 3)),
        bidirectional=draw(st.booleans()),
        dtype=dtype,
        seed=draw(st.integers(0, 2**31)),
        scale=draw(st.sampled_from([0.1, 0.5, 1.0])),
    )


def assert_close(actual: Any, expected: Any, dtype: torch.dtype) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE[dtype])
