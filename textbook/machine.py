"""What one core of this machine can do: arithmetic per second, and bytes read per second."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper

from model_export.timing import best_seconds

GEMM_SIZE = 768  # three fp32 matrices of this size fit in a shared cache, and hide the call
MEMORY_BYTES = 256 << 20  # no cache is that large
REREAD_BYTES = [*(1 << power for power in range(17, 25)), MEMORY_BYTES]  # 128 KiB to 16 MiB


@dataclass(frozen=True)
class Machine:
    """Peaks of one core.

    ``bandwidths`` are bytes per second by how many bytes are read over and over.
    """

    fp32_flop_per_second: float
    int8_flop_per_second: float
    bandwidths: dict[int, float]

    def bandwidth(self, reread_bytes: int) -> float:
        """The best measured with at least so many bytes, to the power of two below: an upper bound.

        A cache of the first level may read less than 128 KiB faster than is said here.
        """
        return max(rate for size, rate in self.bandwidths.items() if 2 * size > reread_bytes)

    @property
    def memory_bandwidth(self) -> float:
        return self.bandwidths[MEMORY_BYTES]


def measure_machine(budget_seconds: float = 0.5) -> Machine:
    """Spends about ``budget_seconds`` on each peak and each bandwidth."""
    flop = 2 * GEMM_SIZE**3
    return Machine(
        fp32_flop_per_second=flop / best_seconds(fp32_product(), budget_seconds),
        int8_flop_per_second=flop / best_seconds(int8_product(), budget_seconds),
        bandwidths={size: read_bandwidth(size, budget_seconds) for size in REREAD_BYTES},
    )


def read_bandwidth(size: int, budget_seconds: float) -> float:
    """Bytes per second at which one core reads an array of ``size`` bytes over and over.

    A dot product with itself reads each number once and does next to nothing with it. The cost of
    the call, microseconds, is that of the same on one number.
    """
    numbers, one = torch.ones(size // 4), torch.ones(1)
    call_seconds = best_seconds(lambda: torch.dot(one, one), budget_seconds / 2)
    seconds = best_seconds(lambda: torch.dot(numbers, numbers), budget_seconds / 2)
    return size / (seconds - call_seconds)


def fp32_product() -> Callable[[], object]:
    matrix = torch.ones(GEMM_SIZE, GEMM_SIZE)
    return lambda: torch.mm(matrix, matrix)


def int8_product() -> Callable[[], object]:
    """ONNX Runtime's own product of 8-bit integers, which is what its quantised LSTM runs on."""
    shape = [GEMM_SIZE, GEMM_SIZE]
    weight = helper.make_tensor(
        "w", TensorProto.INT8, shape, np.ones(shape, np.int8).tobytes(), raw=True
    )
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT32, shape)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {"x": np.ones(shape, np.uint8)}
    return lambda: session.run(None, feeds)
