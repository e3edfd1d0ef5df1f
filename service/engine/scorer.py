"""Any number of texts in, their logits or probabilities out: the engine as one object."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from service.engine.backends import Backend
from service.engine.backends.registry import BackendName
from service.engine.backends.selection import select_backend
from service.engine.bundle import Bundle
from service.engine.golden import prove_tokenizer, read_golden
from service.engine.logits import Logits, Probabilities, softmax
from service.engine.ragged_batch import RaggedBatch
from service.engine.tokenizer import TextTokenizer, TokenIds

# On a CPU 8 to 16 texts of similar lengths are the cheapest per token.
BATCH_TEXTS = 16
LENGTH_RATIO_LIMIT = 1.2


def cut_by_length(texts: Sequence[TokenIds]) -> Iterator[list[int]]:
    """Indices of batches, longest texts first: at most 16 whose lengths lie within 20 %."""
    batch: list[int] = []
    for index in sorted(range(len(texts)), key=lambda index: -len(texts[index])):
        if batch and (
            len(batch) == BATCH_TEXTS
            or len(texts[batch[0]]) > LENGTH_RATIO_LIMIT * len(texts[index])
        ):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


class Scorer:
    """A bundle proven on its golden answers. Texts may be of any number and order.

    Raises:
        BundleError, BackendError: nothing can run the bundle on the device.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: BackendName = "auto",
        device: str = "cpu",
        threads: int = 1,
        trust_torchscript: bool = False,
    ) -> None:
        golden = read_golden(bundle)
        self.tokenizer = TextTokenizer(bundle)
        prove_tokenizer(self.tokenizer, golden)
        self._max_tokens = bundle.manifest.max_tokens
        selection = select_backend(
            backend, bundle, golden, device, threads, trust_torchscript, self._max_tokens
        )
        self.backend: Backend = selection.backend
        self.labels = bundle.manifest.labels

    def logits(self, texts: list[str]) -> Logits:
        """Logits, (texts, labels).

        Raises:
            ValueError: a text has no tokens.
        """
        return self.logits_of_tokens(self.encode(texts))

    def probabilities(self, texts: list[str]) -> Probabilities:
        """Softmax of ``logits``, (texts, labels)."""
        return softmax(self.logits(texts))

    def encode(self, texts: list[str]) -> list[TokenIds]:
        """Token ids of each text, cut at the number of tokens that the bundle was verified for."""
        return [ids[: self._max_tokens] for ids in self.tokenizer.encode(texts)]

    def logits_of_tokens(
        self, texts: Sequence[TokenIds], advance: Callable[[int], None] = lambda tokens: None
    ) -> Logits:
        """Logits, (texts, labels); ``advance`` is told the tokens of each batch that is done."""
        logits = np.zeros((len(texts), len(self.labels)), dtype=np.float32)
        for indices in cut_by_length(texts):
            batch = RaggedBatch.of([texts[index] for index in indices])
            logits[indices] = self.backend.logits(batch)
            advance(batch.tokens)
        return logits
