"""The LitAPI: loads the bundle in the worker and turns token ids into logits."""

import logging
import os
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import litserve
import numpy as np

from service.engine.backends import BackendError
from service.engine.backends.registry import BackendName
from service.engine.bundle import Bundle, BundleError
from service.engine.golden import read_golden
from service.engine.logits import Logits
from service.engine.memory_limit import limit_memory
from service.engine.ragged_batch import RaggedBatch
from service.engine.tokenizer import TokenIds
from service.json_log import log_json
from service.process_tree import die_with
from service.wire import Hello
from service.worker.shared_bundle import SharedBundle

# The first pass of a shape is several times dearer than the next: caches, arenas, autotuning.
WARM_UP_TEXTS = (1, 4, 16)
WARM_UP_TOKENS = (4, 16, 64, 256)
WARM_UP_SECONDS_LIMIT = 0.4

if TYPE_CHECKING:
    from service.engine.backends.selection import Selection

logger = logging.getLogger(__name__)


class InferenceApi(litserve.LitAPI):  # type: ignore[misc]
    """``batch → predict → unbatch`` over the bundle's classifier. Pickled into every worker.

    ``ready`` is the end of a pipe on which each worker tells the main process its number and
    process id, once it has said hello.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: BackendName,
        threads: int,
        max_tokens: int,
        trust_torchscript: bool,
        ready: Connection,
        **litapi_options: object,
    ) -> None:
        super().__init__(**litapi_options)
        self._bundle = SharedBundle(bundle)
        self._ready = ready
        self._said_ready = False
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
        try:
            bundle = self._bundle.load()
            if device == "cpu":  # CUDA maps more than any such limit before it loads anything
                limit_memory()
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
            threads=self._threads,
            labels=len(bundle.manifest.labels),
            warm_up=self._warm_up(),
        )

    def started(self) -> None:
        """The worker has said hello: from now on whoever heard it notices if it hangs."""
        if not self._said_ready:
            self._ready.send_bytes(b"%d %d" % (self.hello.worker_id, self.hello.pid))
            self._said_ready = True

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
            self._max_tokens,
        )

    def _warm_up(self) -> list[tuple[int, int, int, float]]:
        samples = []
        stop_at = time.monotonic() + WARM_UP_SECONDS_LIMIT
        for tokens in WARM_UP_TOKENS:
            for texts in WARM_UP_TEXTS:
                if tokens > self._max_tokens or time.monotonic() > stop_at:
                    continue
                batch = RaggedBatch.of([np.zeros(tokens, dtype=np.int32)] * texts)
                self._backend.logits(batch)
                started_at = time.perf_counter()
                self._backend.logits(batch)
                seconds = time.perf_counter() - started_at
                executed_tokens = self._backend.executed_tokens(batch)
                samples.append((texts, executed_tokens, tokens, seconds))
        return samples

    def batch(self, inputs: Sequence[TokenIds]) -> RaggedBatch:
        return RaggedBatch.of(inputs)

    def predict(self, x: RaggedBatch) -> Logits:
        """Logits, (texts, labels), in the order of the inputs."""
        return self._backend.logits(x)

    def unbatch(self, output: Logits) -> Logits:
        """One row of logits per text, (texts, labels): an array is a sequence of rows already."""
        return output

    def executed_tokens(self, batch: RaggedBatch) -> int:
        """What the backend computes for a batch, padding included where it is computed."""
        return self._backend.executed_tokens(batch)
