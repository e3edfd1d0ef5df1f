"""Floors follow from counted FLOP and bytes; the counts are PyTorch's own."""

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence
from torch.utils.flop_counter import FlopCounterMode

from model_export.shape_contract import ShapeContract
from tests.model_export.recurrent_cases import MODULES
from textbook.machine import MEMORY_BYTES, Machine, measure_machine
from textbook.roofline import Work, cold_seconds, floor_seconds

LENGTHS = [7, 5, 1]
CONTRACT = ShapeContract("lstm", 8, 16, layers=2, bidirectional=True)
MATRICES = 2 * 64 * (8 + 16) + 2 * 64 * (32 + 16)


# 1,000 FLOP and 100 bytes per second, 10 of them from memory.
MACHINE = Machine(1000, 4000, {1 << 17: 100, MEMORY_BYTES: 10})


@pytest.mark.parametrize("cell", sorted(MODULES))
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (3, True)])
def test_flop_are_those_that_pytorch_counts(cell: str, layers: int, bidirectional: bool) -> None:
    module = MODULES[cell](8, 16, layers, bidirectional=bidirectional)
    with FlopCounterMode(display=False) as counter:
        module(pack_sequence([torch.zeros(length, 8) for length in LENGTHS]))
    contract = ShapeContract(cell, 8, 16, layers, bidirectional)
    assert Work(contract, LENGTHS).flop == counter.get_total_flops()


def test_hidden_matrices_are_read_at_every_step_and_input_matrices_once() -> None:
    hidden = 4 * 64 * 16
    assert Work(CONTRACT, LENGTHS).bytes == 4 * (hidden * max(LENGTHS) + MATRICES - hidden)
    assert Work(CONTRACT, LENGTHS, weight_bytes=1).bytes * 4 == Work(CONTRACT, LENGTHS).bytes
    assert Work(CONTRACT, LENGTHS).stored_bytes == 4 * MATRICES


def test_a_text_alone_waits_for_bytes_and_a_large_batch_for_arithmetic() -> None:
    alone, together = Work(CONTRACT, [7]), Work(CONTRACT, [7] * 1000)
    assert floor_seconds(MACHINE, together) == pytest.approx(together.flop / 1000)
    assert floor_seconds(MACHINE, alone) > alone.flop / 1000
    assert floor_seconds(MACHINE, alone) >= alone.bytes / 100
    assert cold_seconds(MACHINE, alone) == pytest.approx(4 * MATRICES / 10)


def test_a_bandwidth_is_the_best_of_those_measured_with_as_much_to_read() -> None:
    machine = Machine(1, 1, {1 << 17: 5, 1 << 18: 7, MEMORY_BYTES: 1})
    assert machine.bandwidth(1000) == 7  # reading less is never slower
    assert machine.bandwidth(1 << 18) == 7
    assert machine.bandwidth(1 << 19) == 1


def test_this_machine_is_measured() -> None:
    machine = measure_machine(budget_seconds=0.02)
    assert machine.fp32_flop_per_second > 1e8
    assert machine.int8_flop_per_second > 1e8
    assert min(machine.bandwidths.values()) > 1e7
