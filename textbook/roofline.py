"""The least time that a recurrent network can take on one core, from its arithmetic and its bytes.

The roofline (Williams, Waterman & Patterson, 2009): no code is faster than its arithmetic at the
machine's peak, nor than the bytes it has to read at the machine's bandwidth. What is special about
a recurrent layer is that its hidden matrix is read again at *every* step, because step t needs the
result of step t - 1, while the input matrix is read once for a whole batch. A batch shares both.
Only the products with matrices are counted; all the rest is under a tenth of them at 64 units.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from model_export.shape_contract import ShapeContract
from textbook.machine import Machine


@dataclass(frozen=True)
class Phase:
    """Work that no other work of its batch overlaps: a layer's products in one direction."""

    flop: float
    bytes: float
    reread_bytes: int  # how much must stay near the core to be read again: it decides the bandwidth


@dataclass(frozen=True)
class Work:
    """One packed batch of texts of these lengths in tokens, weights of ``weight_bytes`` each."""

    contract: ShapeContract
    lengths: Sequence[int]
    weight_bytes: int = 4

    @property
    def tokens(self) -> int:
        return sum(self.lengths)

    @property
    def matrices(self) -> dict[str, int]:
        """Numbers in each weight matrix, by PyTorch's name."""
        shapes = self.contract.parameters(bias=False)
        return {name: prod(shape) for name, shape in shapes.items()}

    @property
    def stored_bytes(self) -> int:
        return sum(self.matrices.values()) * self.weight_bytes

    @property
    def phases(self) -> Iterator[Phase]:
        for name, size in self.matrices.items():
            flop = 2 * size * self.tokens  # a multiplication and an addition per weight and token
            once = size * self.weight_bytes
            if name.startswith("weight_hh"):
                yield Phase(flop, once * max(self.lengths), once)
            else:
                yield Phase(flop, once, self.stored_bytes)

    @property
    def flop(self) -> float:
        return sum(phase.flop for phase in self.phases)

    @property
    def bytes(self) -> float:
        return sum(phase.bytes for phase in self.phases)


def peak(machine: Machine, weight_bytes: int) -> float:
    """FLOP per second with weights of 4 bytes (fp32) or 1 (int8)."""
    return machine.fp32_flop_per_second if weight_bytes == 4 else machine.int8_flop_per_second


def floor_seconds(machine: Machine, work: Work) -> float:
    """The least time for ``work`` when its weights were used just before."""
    return sum(
        max(
            phase.flop / peak(machine, work.weight_bytes),
            phase.bytes / machine.bandwidth(phase.reread_bytes),
        )
        for phase in work.phases
    )


def cold_seconds(machine: Machine, work: Work) -> float:
    """The time to read every weight from memory, which the first text after a pause pays."""
    return work.stored_bytes / machine.memory_bandwidth
