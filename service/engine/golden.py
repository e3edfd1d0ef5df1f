"""Golden answers: texts with the token ids and logits that the trained model gave at export."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from service.engine.backends import Backend, BackendError
from service.engine.bundle import Bundle, BundleError
from service.engine.packed_batch import PackedBatch, Scores
from service.engine.tokenizer import TextTokenizer

# fp32 differs in the order of additions only; int8 scales its activations anew for every batch.
TOLERANCE = {"onnx": 1e-4, "torchscript": 1e-4, "onnx-int8": 0.1}


class GoldenText(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    token_ids: list[int]
    logits: list[float]


def softmax(logits: Scores) -> Scores:
    """Probabilities, same shape, over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (batch, labels)
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float32)


def read_golden(bundle: Bundle) -> list[GoldenText]:
    """Raises BundleError when ``golden.json`` is empty or malformed."""
    try:
        golden = TypeAdapter(list[GoldenText]).validate_json(bundle.read("golden.json"))
    except ValidationError as error:
        raise BundleError(f"{bundle.directory}: golden.json: {error.errors()[0]['msg']}") from None
    if not golden or any(len(entry.logits) != len(bundle.manifest.labels) for entry in golden):
        raise BundleError(f"{bundle.directory}: golden.json does not fit the labels")
    return golden


def prove_tokenizer(tokenizer: TextTokenizer, golden: Sequence[GoldenText]) -> None:
    """Raises BundleError when a golden text does not give its golden token ids."""
    encoded = tokenizer.encode([entry.text for entry in golden])
    for index, (entry, token_ids) in enumerate(zip(golden, encoded, strict=True)):
        if token_ids.tolist() != entry.token_ids:
            raise BundleError(
                f"tokenizer.json and golden.json do not belong together: text {index}"
            )


def prove_backend(backend: Backend, golden: Sequence[GoldenText]) -> float:
    """The largest difference of a probability from its golden value, texts taken together.

    Raises:
        BackendError: it exceeds what the backend's arithmetic explains.
    """
    batch = PackedBatch.pack([np.array(entry.token_ids, dtype=np.int32) for entry in golden])
    got = softmax(batch.restore(backend.logits(batch)))  # (batch, labels)
    expected = softmax(np.array([entry.logits for entry in golden], dtype=np.float32))
    difference = float(np.abs(got - expected).max())
    if not difference <= TOLERANCE[backend.name]:  # NaN fails too
        raise BackendError(
            f"{backend.name} does not reproduce golden.json: off by {difference:.2g} in probability"
        )
    return difference
