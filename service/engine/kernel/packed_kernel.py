"""Logits of packed texts from a blob."""

import ctypes
import mmap
import threading

import numpy as np
import numpy.typing as npt

from service.engine.kernel import KernelError
from service.engine.kernel.library import Library, load_library
from service.engine.kernel.prepared_model import Buffer

Scores = npt.NDArray[np.float32]
MOST_TOKENS = 1 << 28


class PackedKernel:
    """The classifier whose blob stands in ``blob``; any number of threads may call it.

    Each calling thread keeps working memory of about 0.5 KB per token of its largest batch.

    Raises:
        KernelError: the blob is not of this library or not for this processor.
    """

    def __init__(self, blob: Buffer, library: Library | None = None) -> None:
        self._library = library or load_library()
        self._functions = self._library.functions
        self._bytes = np.frombuffer(blob, np.uint8)  # keeps the memory mapped
        self._blob = self._bytes.ctypes.data
        if self._blob % 64:
            raise KernelError("the prepared weights must be aligned to 64 bytes")
        self._library.check(self._functions.packed_check(self._blob, self._bytes.size))
        header = self._bytes[:256].tobytes()
        self.instruction_set = header[16:32].rstrip(b"\0").decode()
        self.bits, self.vocabulary, self.labels = (
            int(value) for value in np.frombuffer(header[36:64], np.int32)[[0, 5, 6]]
        )
        self._memory = threading.local()

    def logits(self, token_ids: npt.NDArray[np.int32], offsets: npt.NDArray[np.integer]) -> Scores:
        """Logits (texts, labels) of texts that follow each other in ``token_ids`` (tokens,).

        Text i is ``token_ids[offsets[i]:offsets[i + 1]]``; ``offsets`` (texts + 1,) begin at 0 and
        end at the number of tokens.

        Raises:
            KernelError: there is no text, a text is empty, or an id is not in the vocabulary.
        """
        if token_ids.dtype != np.int32 or token_ids.ndim != 1 or offsets.ndim != 1:
            raise KernelError("token ids must be int32 (tokens,) and offsets (texts + 1,)")
        if len(offsets) < 2:
            raise KernelError("the batch is empty")
        if offsets[0] != 0 or offsets[-1] != len(token_ids) or len(token_ids) > MOST_TOKENS:
            raise KernelError("offsets must begin at 0 and end at the number of tokens")
        token_ids = np.ascontiguousarray(token_ids)
        starts = np.ascontiguousarray(offsets, np.int32)
        texts = len(starts) - 1
        arena, arena_bytes = self._arena(texts, len(token_ids))
        logits = np.empty((texts, self.labels), np.float32)
        code = self._functions.packed_run(
            self._blob,
            token_ids.ctypes.data,
            starts.ctypes.data,
            texts,
            logits.ctypes.data,
            arena,
            arena_bytes,
        )
        self._library.check(code)
        return logits

    def _arena(self, texts: int, tokens: int) -> tuple[int, int]:
        """This thread's working memory: its address and size, large enough for such a batch."""
        size = ctypes.c_uint64()
        self._library.check(
            self._functions.packed_arena_bytes(self._blob, texts, tokens, ctypes.byref(size))
        )
        kept = getattr(self._memory, "arena", None)
        if kept is None or kept.size < size.value:
            kept = np.frombuffer(mmap.mmap(-1, size.value), np.uint8)  # aligned to a page
            self._memory.arena = kept
        return kept.ctypes.data, kept.size
