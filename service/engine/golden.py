"""Golden answers: texts with the token ids and logits that the trained model gave at export."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from service.engine.backends import Backend, BackendError
from service.engine.backends.registry import BACKENDS
from service.engine.bundle import Bundle, BundleError
from service.engine.logits import softmax
from service.engine.ragged_batch import RaggedBatch
from service.engine.tokenizer import TextTokenizer

# Each text is run alone at every start.
TOKENS_LIMIT = 1 << 18
# A text of a few tokens may have more characters than such texts usually do.
TOKENS_TO_SPARE = 1000


class GoldenText(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    token_ids: list[int] = Field(min_length=1)
    logits: list[float]


def read_golden(bundle: Bundle) -> list[GoldenText]:
    """Raises BundleError when ``golden.json`` is empty or malformed."""
    try:
        golden = TypeAdapter(list[GoldenText]).validate_json(bundle.read("golden.json"))
    except ValidationError as error:
        raise BundleError(f"{bundle.directory}: golden.json: {error.errors()[0]['msg']}") from None
    if not golden or any(len(entry.logits) != len(bundle.manifest.labels) for entry in golden):
        raise BundleError(f"{bundle.directory}: golden.json does not fit the labels")
    vocabulary = bundle.manifest.sizes.vocabulary
    if not all(0 <= min(entry.token_ids) <= max(entry.token_ids) < vocabulary for entry in golden):
        raise BundleError(f"{bundle.directory}: golden.json has token ids beyond the embedding")
    tokens = sum(len(entry.token_ids) for entry in golden)
    if tokens > TOKENS_LIMIT:
        raise BundleError(
            f"{bundle.directory}: golden.json has {tokens} tokens, more than {TOKENS_LIMIT}"
        )
    return golden


def prove_tokenizer(tokenizer: TextTokenizer, golden: Sequence[GoldenText]) -> None:
    """Raises BundleError when a golden text does not give its golden token ids."""
    for index, entry in enumerate(golden):
        try:
            # One by one: that bounds memory, and the first that differs is the last.
            tokens = len(entry.token_ids) + TOKENS_TO_SPARE
            encoded = tokenizer.encode_within([entry.text], tokens, tokens)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic on the Rust side is no Exception
            raise BundleError(
                f"tokenizer.json can't encode text {index} of golden.json: {error}"
            ) from None
        if encoded.token_ids[0].tolist() != entry.token_ids:
            raise BundleError(
                f"tokenizer.json and golden.json do not belong together: text {index}"
            )


def prove_backend(backend: Backend, golden: Sequence[GoldenText], max_tokens: int) -> float:
    """The largest difference of a probability from its golden value, each text run alone.

    Together they would be padded to the longest, nine times the work at every start. The longest
    text that may come is run first: what it takes is taken under the memory limit of the start, and
    memory does not grow when the first such text comes.

    Raises:
        BackendError: it exceeds what the backend's arithmetic explains, or there is no answer.
    """
    try:
        backend.logits(RaggedBatch.of([np.zeros(max_tokens, dtype=np.int32)]))
    except Exception as error:  # the runtimes' exceptions share no other base
        reason = str(error).partition("\n")[0]
        raise BackendError(
            f"{backend.name} can't run a text of {max_tokens} tokens: {reason}"
        ) from None
    texts = [np.array(entry.token_ids, dtype=np.int32) for entry in golden]
    expected = softmax(np.array([entry.logits for entry in golden], dtype=np.float32))
    try:
        rows = [backend.logits(RaggedBatch.of([token_ids])) for token_ids in texts]
        logits = np.concatenate(rows)  # (texts, labels)
    except Exception as error:  # the runtimes' exceptions share no other base
        reason = str(error).partition("\n")[0]
        raise BackendError(f"{backend.name} fails on golden.json: {reason}") from None
    if logits.shape != expected.shape:
        raise BackendError(f"{backend.name} does not answer with one row of labels per text")
    got = softmax(logits)  # (texts, labels)
    difference = float(np.abs(got - expected).max())
    if not difference <= BACKENDS[backend.name].golden_tolerance:  # NaN fails too
        raise BackendError(
            f"{backend.name} does not reproduce golden.json: off by {difference:.2g} in probability"
        )
    return difference
