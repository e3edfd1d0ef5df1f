"""Untrained models of every shape, and ragged batches for them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from service.engine.kernel.library import Library
from service.engine.kernel.packed_kernel import PackedKernel
from service.engine.kernel.prepared_model import GATES, TABLE_BUDGET_BYTES, Bits, prepare

Array = npt.NDArray[np.float32]
Texts = list[npt.NDArray[np.int32]]


@dataclass(frozen=True)
class Model:
    cell: str = "lstm"
    layers: int = 1
    directions: int = 2
    hidden: int = 16
    labels: int = 2
    embedding: int = 7
    vocabulary: int = 50

    def tensors(self, seed: int = 0) -> dict[str, Array]:
        """Weights as PyTorch names and lays them out, about as large as trained ones."""
        numbers = np.random.default_rng(seed)
        rows, outputs = GATES[self.cell] * self.hidden, self.directions * self.hidden

        def draw(*shape: int) -> Array:
            bound = 2 / np.sqrt(self.hidden)
            return numbers.uniform(-bound, bound, shape).astype(np.float32)

        embedding = numbers.normal(size=(self.vocabulary, self.embedding))
        tensors = {"embedding.weight": embedding.astype(np.float32)}
        for layer in range(self.layers):
            for suffix in ("", "_reverse")[: self.directions]:
                columns = outputs if layer else self.embedding
                tensors[f"recurrent.weight_ih_l{layer}{suffix}"] = draw(rows, columns)
                tensors[f"recurrent.weight_hh_l{layer}{suffix}"] = draw(rows, self.hidden)
                tensors[f"recurrent.bias_ih_l{layer}{suffix}"] = draw(rows)
                tensors[f"recurrent.bias_hh_l{layer}{suffix}"] = draw(rows)
        tensors["linear.weight"] = np.float32(3) * draw(self.labels, outputs)
        tensors["linear.bias"] = draw(self.labels)
        return tensors

    def kernel(
        self,
        bits: Bits = 16,
        instruction_set: str | None = None,
        *,
        table_budget_bytes: int = TABLE_BUDGET_BYTES,
        library: Library | None = None,
        **changed: Any,
    ) -> PackedKernel:
        """A kernel with these weights, ``changed`` by name with dots as underscores."""
        tensors = self.tensors()
        for name, value in changed.items():
            tensors[name.replace("_", ".", 1)] = value
        blob = prepare(
            save(tensors),
            self.cell,
            bits,
            instruction_set=instruction_set,
            table_budget_bytes=table_budget_bytes,
            library=library,
        )
        return PackedKernel(blob, library)


def random_texts(seed: int, texts: int, longest: int = 25, vocabulary: int = 50) -> Texts:
    numbers = np.random.default_rng(seed)
    lengths = numbers.integers(1, longest + 1, texts)
    return [numbers.integers(0, vocabulary, length).astype(np.int32) for length in lengths]


def logits(kernel: PackedKernel, texts: Texts) -> Array:
    """Logits, (texts, labels)."""
    return kernel.logits(np.concatenate(texts), np.cumsum([0, *map(len, texts)]))


def same_bits(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()
