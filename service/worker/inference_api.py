"""The LitAPI: loads the bundle in the worker and turns token ids into logits."""

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import litserve
import numpy as np

from service.engine.backends import BackendError, BackendName
from service.engine.bundle import Bundle, BundleError
from service.engine.golden import read_golden
from service.engine.packed_batch import PackedBatch, Scores
from service.engine.tokenizer import TokenIds
from service.json_log import log_json
from service.process_tree import die_with
from service.wire import Hello
from service.worker.start_backoff import StartBackoff

# The first pass of a shape is several times dearer than the next: caches, arenas, autotuning.
WARM_UP_TEXTS = (1, 4, 16)
WARM_UP_TOKENS = (4, 16, 64, 256)
WARM_UP_SECONDS_LIMIT = 0.4

if TYPE_CHECKING:
    from service.engine.backends.selection import Selection

logger = logging.getLogger(__name__)


class InferenceApi(litserve.LitAPI):  # type: ignore[misc]
    """``batch → predict → unbatch`` over the bundle's classifier. Pickled into every worker."""

    def __init__(
        self,
        bundle: Bundle,
        backend: BackendName,
        threads: int,
        max_tokens: int,
        trust_torchscript: bool,
        state_directory: Path,
        **litapi_options: object,
    ) -> None:
        super().__init__(**litapi_options)
        self._bundle_directory = bundle.directory
        self._bundle_digest = bundle.digest
        self._state_directory = state_directory
        self._backend_name: BackendName = backend
        self._threads = threads
        self._max_tokens = max_tokens
        self._trust_torchscript = trust_torchscript
        self._main_pid = os.getpid()

    def setup(self, device: str) -> None:
        """Load, prove on the golden answers and warm up. A worker that can't serve ends here."""
        die_with(self._main_pid)
        log_json()
        worker_id = int(os.environ["LITSERVE_WORKER_ID"])
        self._starts = StartBackoff.of(self._state_directory, worker_id)
        self._starts.begin()
        try:
            bundle = Bundle(self._bundle_directory)
            if bundle.digest != self._bundle_digest:
                raise BundleError(
                    f"the bundle {bundle.directory} changed since the service started"
                )
            selection = self.open_backend(bundle, device)
        except (BundleError, BackendError) as error:
            logger.error("%s", error)
            logging.shutdown()
            # LitServe would print a traceback over the sentence.
            os._exit(1)
        self._backend = selection.backend
        self.hello = Hello(
            pid=os.getpid(),
            worker_id=worker_id,
            device=device,
            backend=selection.backend.name,
            reason=selection.reason,
            computes_padding=selection.backend.computes_padding,
            threads=self._threads,
            labels=len(bundle.manifest.labels),
            warm_up=self._warm_up(),
        )

    def started(self) -> None:
        """The worker has said hello: from now on whoever heard it notices if it hangs."""
        self._starts.succeed()

    def open_backend(self, bundle: Bundle, device: str) -> "Selection":
        """Raises BundleError or BackendError when nothing can serve the bundle on the device."""
        # Imported here: only workers need ONNX Runtime or torch, and loading them takes time.
        from service.engine.backends.selection import select_backend

        return select_backend(
            self._backend_name,
            bundle,
            read_golden(bundle),
            device,
            self._threads,
            self._trust_torchscript,
        )

    def _warm_up(self) -> list[tuple[int, int, int, float]]:
        # The longest text first: what it takes is never given back, so that memory does not grow
        # when the first long text comes.
        self._backend.logits(PackedBatch.pack([np.zeros(self._max_tokens, dtype=np.int32)]))
        samples = []
        stop_at = time.monotonic() + WARM_UP_SECONDS_LIMIT
        for tokens in WARM_UP_TOKENS:
            for texts in WARM_UP_TEXTS:
                if tokens > self._max_tokens or time.monotonic() > stop_at:
                    continue
                batch = PackedBatch.pack([np.zeros(tokens, dtype=np.int32)] * texts)
                self._backend.logits(batch)
                started_at = time.perf_counter()
                self._backend.logits(batch)
                samples.append((texts, texts * tokens, tokens, time.perf_counter() - started_at))
        return samples

    def batch(self, inputs: Sequence[TokenIds]) -> PackedBatch:
        return PackedBatch.pack(inputs)

    def predict(self, x: PackedBatch) -> Scores:
        """Logits, (batch, labels), in the order of the inputs."""
        return x.restore(self._backend.logits(x))

    def unbatch(self, output: Scores) -> Scores:
        """One row of logits per text, (batch, labels): an array is a sequence of rows already."""
        return output
