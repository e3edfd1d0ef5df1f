"""A LitAPI whose backend raises, returns NaN or kills its process on texts of marked lengths."""

import os

import numpy as np

from service.engine.backends import Backend
from service.engine.backends.selection import Selection
from service.engine.bundle import Bundle
from service.engine.logits import Logits
from service.engine.ragged_batch import RaggedBatch
from service.worker.inference_api import InferenceApi

# Tokens of the texts that do harm; neighbours may have any other length.
RAISES, NOT_A_NUMBER, KILLS = 20, 22, 24


class PoisonedBackend:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.name = backend.name

    def logits(self, batch: RaggedBatch) -> Logits:
        if KILLS in batch.lengths:
            os._exit(1)
        if RAISES in batch.lengths:
            raise RuntimeError("a text that the backend can't bear")
        logits = np.array(self._backend.logits(batch))  # (texts, labels)
        logits[batch.lengths == NOT_A_NUMBER] = np.nan
        return logits

    def executed_tokens(self, batch: RaggedBatch) -> int:
        return self._backend.executed_tokens(batch)


class PoisonedApi(InferenceApi):
    def open_backend(self, bundle: Bundle, device: str) -> Selection:
        selection = super().open_backend(bundle, device)
        return Selection(PoisonedBackend(selection.backend), selection.reason)
