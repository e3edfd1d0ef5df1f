"""The classifier in the packed kernel, in int16 or int8: no padding, the same bits in any batch."""

from service.engine.backends import BackendError
from service.engine.backends.registry import BackendKind
from service.engine.bundle import Bundle
from service.engine.kernel import KernelError
from service.engine.kernel.packed_kernel import PackedKernel
from service.engine.kernel.prepared_model import Bits, prepare
from service.engine.logits import Logits
from service.engine.ragged_batch import RaggedBatch


class PackedBackend:
    """``weights.safetensors`` on the CPU, quantised when it is loaded.

    It runs in the thread that calls it: ``threads`` changes nothing.

    Raises:
        BundleError: the file is not what the manifest names.
        BackendError: the weights are damaged or of a model that the kernel does not compute, the
            kernel is not compiled, or the processor lacks the instructions that it needs.
    """

    def __init__(self, bundle: Bundle, kind: BackendKind, device: str, threads: int) -> None:
        self.name = kind.name
        bits: Bits = 8 if kind.name == "packed-int8" else 16
        try:
            blob = prepare(bundle.read(kind.file), bundle.manifest.cell, bits)
            self._kernel = PackedKernel(blob)
        except KernelError as error:
            raise BackendError(str(error)) from None
        sizes, labels = bundle.manifest.sizes, len(bundle.manifest.labels)
        if (self._kernel.vocabulary, self._kernel.labels) != (sizes.vocabulary, labels):
            raise BackendError(f"{kind.file} has another vocabulary or other labels than manifest")

    def logits(self, batch: RaggedBatch) -> Logits:
        try:
            return self._kernel.logits(batch.token_ids, batch.offsets)  # (texts, labels)
        except KernelError as error:
            raise BackendError(str(error)) from None

    def executed_tokens(self, batch: RaggedBatch) -> int:
        """A lane runs text after text, so that no step is padding."""
        return batch.tokens
