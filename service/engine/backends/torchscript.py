"""The classifier in TorchScript: padding is packed away and costs nothing."""

import io
import warnings
import zipfile
from typing import cast

from service.engine.backends import BackendError
from service.engine.backends.registry import BackendKind
from service.engine.bundle import FILE_BYTES_LIMIT, Bundle, BundleError
from service.engine.logits import Logits
from service.engine.padded_batch import PaddedBatch
from service.engine.ragged_batch import RaggedBatch


def check_archive(content: bytes) -> None:
    """Raises BundleError unless this is a zip archive that unpacks within the limit of a file."""
    try:
        unpacked = sum(entry.file_size for entry in zipfile.ZipFile(io.BytesIO(content)).infolist())
    except Exception:  # zipfile raises more than BadZipFile for damaged archives
        raise BundleError("model.ts is not a TorchScript archive") from None
    if unpacked > FILE_BYTES_LIMIT:
        raise BundleError(f"model.ts unpacks to {unpacked} bytes, more than {FILE_BYTES_LIMIT}")


class TorchScriptBackend:
    """``model.ts`` on the CPU or a CUDA device.

    TorchScript is a program and runs with the rights of the service: load it only from a bundle
    that is trusted (``service.engine.backends.selection`` sees to that).

    Raises:
        BundleError: the file is not what the manifest names.
        BackendError: torch is not installed, has no such device, or refuses the file.
    """

    def __init__(self, bundle: Bundle, kind: BackendKind, device: str, threads: int) -> None:
        self.name = kind.name
        try:
            import torch
        except ImportError:
            raise BackendError("torch is not installed") from None
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise BackendError("this torch sees no CUDA device")
        content = bundle.read(kind.file)
        check_archive(content)
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self._torch = torch
        self._device = device
        try:
            with warnings.catch_warnings():
                # Deprecated, but what takes its place can't express packing.
                warnings.simplefilter("ignore", DeprecationWarning)
                module = torch.jit.load(io.BytesIO(content), map_location=device)  # type: ignore[no-untyped-call]
                self._module = torch.jit.freeze(module.eval())
        except Exception as error:  # torch raises RuntimeError, ValueError and more here
            raise BackendError(f"torch refuses model.ts: {str(error).splitlines()[0]}") from None

    def logits(self, batch: RaggedBatch) -> Logits:
        padded = PaddedBatch.of(batch)
        with self._torch.inference_mode():
            token_ids = self._torch.from_numpy(padded.token_ids).to(self._device)  # (texts, time)
            # Packing reads the lengths on the CPU wherever the model runs.
            lengths = self._torch.from_numpy(padded.lengths)  # (texts,)
            logits = cast(Logits, self._module(token_ids, lengths).cpu().numpy())  # (texts, labels)
        return padded.restore(logits)

    def executed_tokens(self, batch: RaggedBatch) -> int:
        """The model packs padding away before it computes anything."""
        return batch.tokens
