"""Reading ``weights.safetensors``, so that serving needs no package for it.

The format (https://github.com/huggingface/safetensors): the length of a JSON header as 8 bytes,
the header with each tensor's dtype, shape and place, then the tensors' bytes.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from service.engine.kernel import KernelError

Tensor = npt.NDArray[np.float32]

FILE = "weights.safetensors"
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
LARGEST_HEADER = 1 << 20
# Trained weights stay below 10; beyond this bound sums of them would leave fp32's exact range.
LARGEST_WEIGHT = 1e4


def read_weights(content: bytes) -> dict[str, Tensor]:
    """Every tensor of the file by its name, as float32.

    Raises:
        KernelError: the file is damaged, or a weight is not finite or beyond 1e4.
    """
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(LARGEST_HEADER, len(content) - 8):
        raise KernelError(f"{FILE} is cut off or no safetensors file")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise KernelError(f"{FILE} has a header that is no JSON object")
    header.pop("__metadata__", None)
    data = memoryview(content)[8 + length :]
    return {str(name): tensor(str(name), entry, data) for name, entry in header.items()}


def tensor(name: str, entry: Any, data: memoryview) -> Tensor:
    """One tensor, checked."""
    try:
        dtype, shape = DTYPES[entry["dtype"]], tuple(map(int, entry["shape"]))
        start, end = map(int, entry["data_offsets"])
    except (KeyError, TypeError, ValueError):
        raise KernelError(
            f"{FILE} describes {name} by something else than dtype F32 or F16, shape and offsets"
        ) from None
    elements = int(np.prod(shape, dtype=object)) if min(shape, default=0) >= 0 else -1
    if not 0 <= start <= end <= len(data) or end - start != elements * dtype.itemsize:
        raise KernelError(f"{FILE} has other bytes for {name} than its shape {shape} needs")
    values: Tensor = np.frombuffer(data[start:end], dtype).reshape(shape).astype(np.float32)
    # A comparison with NaN is false, so this refuses NaN too.
    if not (np.abs(values) <= LARGEST_WEIGHT).all():
        raise KernelError(f"{FILE} has a weight in {name} that is not finite or beyond 1e4")
    return values


def expect(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """The tensor of this name and shape, in C order.

    Raises:
        KernelError: it is missing or has another shape.
    """
    if name not in tensors:
        raise KernelError(f"{FILE} lacks {name}")
    if tensors[name].shape != shape:
        raise KernelError(f"{FILE} has {name} of shape {tensors[name].shape}, not {shape}")
    return np.ascontiguousarray(tensors[name])
