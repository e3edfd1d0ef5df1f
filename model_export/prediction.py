"""Logits of whole corpora, batched by length."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from model_export.classifier import Classifier, pad
from model_export.corpus import Corpus

BATCH_TOKENS = 16_384


def predict_logits(
    classifier: Classifier, corpus: Corpus, advance: Callable[[int], None] = lambda tokens: None
) -> Tensor:
    """Logits (texts, labels) in the order of the corpus, from the packed network.

    It is put into evaluation mode. ``advance`` is told the tokens of each batch that is done.
    """
    device = classifier.linear.weight.device
    lengths = corpus.lengths
    logits = torch.zeros(len(corpus), classifier.linear.out_features)
    order = np.argsort(-lengths, kind="stable")
    classifier.eval()
    first = 0
    with torch.inference_mode():
        while first < len(order):
            texts = order[first : first + max(1, BATCH_TOKENS // int(lengths[order[first]]))]
            token_ids, counts = pad([corpus.text(text) for text in texts])
            # pack_padded_sequence wants the lengths on the CPU whatever the device.
            logits[torch.from_numpy(texts)] = classifier(token_ids.to(device), counts).cpu()
            advance(int(counts.sum()))
            first += len(texts)
    return logits


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of texts (0 to 1) whose highest logit is their label's."""
    return float((logits.argmax(1) == labels).double().mean())
