"""The model as people usually call it: tokenise, pad to the longest, run.

It needs only tokenizers, numpy and onnxruntime, because it is imported in each server's own
environment. Environment variables configure it.
"""

import os
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

BUNDLE = Path(os.environ.get("BASELINE_BUNDLE", "models/sentiment"))
PRECISION = os.environ.get("BASELINE_PRECISION", "fp32")
PORT = int(os.environ.get("BASELINE_PORT", "8000"))
WORKERS = int(os.environ.get("BASELINE_WORKERS", "1"))
LABELS = os.environ.get("BASELINE_LABELS", "negative,positive").split(",")
BATCH_TEXTS = int(os.environ.get("BASELINE_BATCH_TEXTS", "1"))
MODEL_FILES = {"fp32": "model.onnx", "int8": "model.int8.onnx"}

LabelScore = dict[str, str | float]


class Classifier:
    """One ONNX Runtime session, one thread within an operator."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(BUNDLE / MODEL_FILES[PRECISION]), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(BUNDLE / "tokenizer.json"))

    def __call__(self, texts: list[str]) -> list[list[LabelScore]]:
        """Labels with scores, highest first, for each text."""
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)  # (batch,)
        token_ids = np.zeros((len(rows), lengths.max()), dtype=np.int64)  # (batch, time)
        for index, row in enumerate(rows):
            token_ids[index, : len(row)] = row
        feeds = {"token_ids": token_ids, "lengths": lengths}
        logits = self._session.run(None, feeds)[0]  # (batch, labels)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)  # (batch, labels)
        return [
            [
                {"label": LABELS[column], "score": float(row[column])}
                for column in np.argsort(-row, kind="stable")
            ]
            for row in probabilities
        ]
