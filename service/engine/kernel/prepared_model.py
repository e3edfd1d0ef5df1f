"""From a bundle's weights to the blob that the kernel computes with."""

import ctypes
import mmap
from collections.abc import Callable
from typing import Literal

from service.engine.kernel import KernelError
from service.engine.kernel.library import DIRECTIONS, LAYERS, Library, Sizes, Weights, load_library
from service.engine.kernel.weights_file import FILE, Tensor, expect, read_weights

Bits = Literal[16, 8]
Buffer = mmap.mmap | memoryview

CELLS = {"rnn": 0, "gru": 1, "lstm": 2}
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
LARGEST_HIDDEN = 512
# The shipped vocabulary's table takes 57 MB, once per machine.
TABLE_BUDGET_BYTES = 96 << 20


def anonymous_memory(size: int) -> mmap.mmap:
    """Memory of this process and of those it forks."""
    return mmap.mmap(-1, size)


def prepare(
    content: bytes,
    cell: str,
    bits: Bits = 16,
    *,
    instruction_set: str | None = None,
    table_budget_bytes: int = TABLE_BUDGET_BYTES,
    allocate: Callable[[int], Buffer] = anonymous_memory,
    library: Library | None = None,
) -> Buffer:
    """The blob of ``weights.safetensors``, in memory that ``allocate`` gives for its size.

    The blob holds no address, so processes may map the same memory or file (aligned to 64 bytes).

    Raises:
        KernelError: the weights are damaged, or of a model that the kernel does not compute.
    """
    library = library or load_library()
    name = library.choose(instruction_set).encode()
    tensors = read_weights(content)
    sizes = sizes_of(tensors, cell)
    sizes.bits, sizes.table_budget = bits, table_budget_bytes
    weights, kept = weights_of(tensors, cell, sizes)
    size = ctypes.c_uint64()
    library.check(library.functions.packed_blob_bytes(name, sizes, size))
    blob = allocate(size.value)
    place = ctypes.addressof(ctypes.c_char.from_buffer(blob))
    library.check(library.functions.packed_build(name, sizes, weights, place, len(blob)))
    del kept  # the fp32 weights were read until here
    return blob


def sizes_of(tensors: dict[str, Tensor], cell: str) -> Sizes:
    """The model's sizes, from the names and shapes of its weights."""
    if cell not in CELLS:
        raise KernelError(f"the packed kernel computes rnn, gru and lstm, not {cell}")
    prefix = "recurrent.weight_hh_l"
    layers = sum(n.startswith(prefix) and n.endswith(tuple("0123456789")) for n in tensors)
    directions = 2 if f"{prefix}0_reverse" in tensors else 1
    for name in ("embedding.weight", f"{prefix}0", "linear.weight"):
        if name not in tensors or tensors[name].ndim != 2 or 0 in tensors[name].shape:
            raise KernelError(f"{FILE} lacks a matrix {name}")
    hidden = tensors[f"{prefix}0"].shape[1]
    if hidden % 16 or hidden > LARGEST_HIDDEN:
        raise KernelError(
            f"the packed kernel computes hidden sizes that are multiples of 16 up to"
            f" {LARGEST_HIDDEN}, not {hidden}"
        )
    if layers > LAYERS:
        raise KernelError(f"the packed kernel computes at most {LAYERS} layers, not {layers}")
    vocabulary, embedding = tensors["embedding.weight"].shape
    labels = tensors["linear.weight"].shape[0]
    return Sizes(CELLS[cell], 0, layers, directions, hidden, embedding, vocabulary, labels, 0)


def weights_of(tensors: dict[str, Tensor], cell: str, sizes: Sizes) -> tuple[Weights, list[Tensor]]:
    """Pointers to the weights, and the arrays that must live as long as they are used."""
    hidden, rows = sizes.hidden, GATES[cell] * sizes.hidden
    outputs = sizes.directions * hidden
    kept: list[Tensor] = []

    def pointer(name: str, *shape: int) -> int:
        kept.append(expect(tensors, name, shape))
        return kept[-1].ctypes.data

    weights = Weights(
        embedding=pointer("embedding.weight", sizes.vocabulary, sizes.embedding),
        linear=pointer("linear.weight", sizes.labels, outputs),
        linear_bias=pointer("linear.bias", sizes.labels),
    )
    for layer in range(sizes.layers):
        columns = outputs if layer else sizes.embedding
        for direction, suffix in enumerate(("", "_reverse")[: sizes.directions]):
            at, end = layer * DIRECTIONS + direction, f"l{layer}{suffix}"
            weights.input[at] = pointer(f"recurrent.weight_ih_{end}", rows, columns)
            weights.recurrent[at] = pointer(f"recurrent.weight_hh_{end}", rows, hidden)
            weights.input_bias[at] = pointer(f"recurrent.bias_ih_{end}", rows)
            weights.recurrent_bias[at] = pointer(f"recurrent.bias_hh_{end}", rows)
    return weights, kept
