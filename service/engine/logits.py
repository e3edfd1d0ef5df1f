"""What a classifier gives for each label, and the probabilities that this means."""

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]  # (texts, labels)
Probabilities = npt.NDArray[np.float32]  # (texts, labels)


def softmax(logits: Logits) -> Probabilities:
    """Probabilities, same shape, over the last axis.

    The server's reply has one of its own over lists: for a few labels an array costs ten times
    that.
    """
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (texts, labels)
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float32)
