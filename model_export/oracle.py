"""The classifier of a bundle from the equations: NumPy in float64, no torch, no runtime."""

from collections.abc import Mapping, Sequence

import numpy as np
from safetensors.numpy import load

from model_export.reference import CELLS, Array, pack, run
from service.engine.bundle import Bundle
from service.engine.tokenizer import TokenIds


class Oracle:
    """What ``weights.safetensors`` answers according to ``model_export.reference``.

    Raises:
        BundleError: the bundle has no weights, or not those that its manifest names.
    """

    def __init__(self, bundle: Bundle) -> None:
        weights = load(bundle.read("weights.safetensors"))
        # Stored in fp16 and fp32; from here on the only rounding is that of float64.
        exact = {name: weight.astype(np.float64) for name, weight in weights.items()}
        self.cell = CELLS[bundle.manifest.cell]
        self.embedding = exact["embedding.weight"]  # (vocabulary, embedding)
        self.recurrent: Mapping[str, Array] = {
            name.removeprefix("recurrent."): weight
            for name, weight in exact.items()
            if name.startswith("recurrent.")
        }
        self.linear = exact["linear.weight"]  # (labels, 2 · hidden)
        self.bias = exact["linear.bias"]  # (labels)

    def logits(self, texts: Sequence[TokenIds]) -> Array:
        """Logits (batch, labels) of texts with at least one token each, in any order."""
        packed = pack([self.embedding[token_ids] for token_ids in texts])
        _, (h, *_) = run(self.cell, packed, self.recurrent)  # (layers · directions, batch, hidden)
        states = np.concatenate([h[-2], h[-1]], axis=1)  # (batch, 2 · hidden)
        logits: Array = states @ self.linear.T + self.bias
        return logits
