"""The classifier in ONNX Runtime, in fp32 or dynamically quantised int8."""

from typing import cast

import onnxruntime

from service.engine.backends import BackendError
from service.engine.backends.onnx_contents import check_onnx
from service.engine.backends.registry import BackendKind
from service.engine.bundle import Bundle
from service.engine.logits import Logits
from service.engine.padded_batch import PaddedBatch
from service.engine.ragged_batch import RaggedBatch


class OnnxBackend:
    """``model.onnx`` or ``model.int8.onnx`` on the CPU or a CUDA device.

    Raises:
        BundleError: the file is not what the manifest names, or holds what no exported model has.
        BackendError: ONNX Runtime refuses the model or has no such device.
    """

    def __init__(self, bundle: Bundle, kind: BackendKind, device: str, threads: int) -> None:
        self.name = kind.name
        content = bundle.read(kind.file)
        check_onnx(content, kind.file)
        providers: list[str | tuple[str, dict[str, str]]] = ["CPUExecutionProvider"]
        if device.startswith("cuda"):
            if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
                raise BackendError("this ONNX Runtime has no CUDA (install ACCELERATOR=gpu)")
            index = device.partition(":")[2] or "0"
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": index}))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning shaves microseconds off a wake-up and burns a core that other workers need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Else bytes that also read as ONNX Runtime's own format would be taken for that.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=providers)
        except Exception as error:  # ONNX Runtime's exceptions share no other base
            raise BackendError(f"ONNX Runtime refuses {kind.file}: {error}") from None
        if device.startswith("cuda") and self._session.get_providers()[0] != providers[0][0]:
            raise BackendError("ONNX Runtime fell back to the CPU: CUDA 13 or cuDNN 9 is missing")

    def logits(self, batch: RaggedBatch) -> Logits:
        padded = PaddedBatch.of(batch)
        feeds = {"token_ids": padded.token_ids, "lengths": padded.lengths}
        return padded.restore(cast(Logits, self._session.run(None, feeds)[0]))  # (texts, labels)

    def executed_tokens(self, batch: RaggedBatch) -> int:
        """Padding is computed: ``sequence_lens`` only says where each text ends."""
        return batch.texts * batch.longest
