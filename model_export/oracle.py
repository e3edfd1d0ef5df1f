"""The classifier of a bundle from the equations: NumPy alone, no torch, no runtime."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load

from model_export.reference import CELLS, Array, pack, run
from model_export.shape_contract import ShapeContract
from service.engine.bundle import Bundle
from service.engine.tokenizer import TokenIds


class Oracle:
    """What ``weights.safetensors`` answers according to ``model_export.reference``.

    In float64 the only rounding that matters is that of the stored weights (fp16 and fp32).

    Raises:
        BundleError: the bundle has no weights, or not those that its manifest names.
        ShapeError: the weights do not have the shapes that its manifest says.
    """

    def __init__(self, bundle: Bundle, dtype: npt.DTypeLike = np.float64) -> None:
        stored = load(bundle.read("weights.safetensors"))
        weights: dict[str, Array] = {name: w.astype(dtype) for name, w in stored.items()}
        self.cell = CELLS[bundle.manifest.cell]
        self.embedding = weights["embedding.weight"]  # (vocabulary, embedding)
        self.recurrent: Mapping[str, Array] = {
            name.removeprefix("recurrent."): weight
            for name, weight in weights.items()
            if name.startswith("recurrent.")
        }
        shapes = {name: weight.shape for name, weight in self.recurrent.items()}
        ShapeContract.of_manifest(bundle.manifest).check_parameters(shapes)
        self.linear = weights["linear.weight"]  # (labels, 2 · hidden)
        self.bias = weights["linear.bias"]  # (labels)

    def logits(self, texts: Sequence[TokenIds]) -> Array:
        """Logits (batch, labels) of texts with at least one token each, in any order."""
        packed = pack([self.embedding[token_ids] for token_ids in texts])
        _, (h, *_) = run(self.cell, packed, self.recurrent)  # (layers · directions, batch, hidden)
        states = np.concatenate([h[-2], h[-1]], axis=1)  # (batch, 2 · hidden)
        logits: Array = states @ self.linear.T + self.bias
        return logits
