"""What runs the model: ONNX Runtime or TorchScript, behind one small protocol."""

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # settings name the backends without loading numpy
    from service.engine.packed_batch import PackedBatch, Scores

BackendName = Literal["auto", "onnx", "onnx-int8", "torchscript"]


class Backend(Protocol):
    """Runs the traced classifier of one bundle on one device."""

    name: str
    computes_padding: bool

    def logits(self, batch: "PackedBatch") -> "Scores":
        """Logits, (batch, labels), in the order of the batch's rows."""
        ...


class BackendError(Exception):
    """A backend that can't be used here; the message says why in one sentence."""
