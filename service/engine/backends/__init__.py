"""What runs the model: ONNX Runtime or TorchScript, behind one small protocol."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # settings name the backends without loading numpy
    from service.engine.logits import Logits
    from service.engine.ragged_batch import RaggedBatch


class Backend(Protocol):
    """Runs the classifier of one bundle on one device."""

    name: str

    def logits(self, batch: "RaggedBatch") -> "Logits":
        """Logits, (texts, labels), in the order of the batch."""
        ...

    def executed_tokens(self, batch: "RaggedBatch") -> int:
        """Positions that ``logits`` computes, padding included where it is computed."""
        ...


class BackendError(Exception):
    """A backend that can't be used here; the message says why in one sentence."""
