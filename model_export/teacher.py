"""A linear bag of n-grams that labels unlabelled texts softly.

Log-count ratios as feature weights under a logistic regression (Wang & Manning, ACL 2012): minutes
of training, errors unlike a recurrent network's, hence a good half of an ensemble.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model_export.corpus import Corpus

MOST_BUCKETS = 1 << 21
LONGEST_NGRAM = 3
# Odd 32-bit constants of the xxHash family spread neighbouring ids over the buckets.
MULTIPLIER, INCREMENT = 0x9E3779B1, 0x85EBCA77
SMOOTHING = 1.0
PENALTY = 1e-8
ITERATIONS = 30


@dataclass(frozen=True)
class NgramTeacher:
    table: Tensor  # (buckets, labels)
    bias: Tensor  # (labels,)

    def probabilities(self, corpus: Corpus) -> Tensor:
        """Soft labels (texts, labels)."""
        buckets = len(self.table)
        features, offsets = distinct_ngrams(corpus, buckets)
        matrix = feature_matrix(features, offsets, buckets)
        return (matrix @ self.table + self.bias).softmax(1)


def fit_teacher(corpus: Corpus, labels: int) -> NgramTeacher:
    """Every text of ``corpus`` has a label."""
    buckets = min(MOST_BUCKETS, 4 << len(corpus.token_ids).bit_length())
    features, offsets = distinct_ngrams(corpus, buckets)
    truth = torch.from_numpy(corpus.labels)  # (texts,)
    matrix = feature_matrix(features, offsets, buckets)
    ratios = log_count_ratios(features, offsets, truth, (buckets, labels))
    transposed = transpose(matrix)
    one_hot = torch.nn.functional.one_hot(truth, labels).float()  # (texts, labels)
    weights = torch.ones(buckets, labels, requires_grad=True)
    bias = torch.zeros(labels, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights, bias], max_iter=ITERATIONS, history_size=5, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        # The gradient is written out: autograd's would transpose the matrix in every step.
        with torch.no_grad():
            logits = matrix @ (ratios * weights) + bias
            residual = (logits.softmax(1) - one_hot) / len(truth)  # (texts, labels)
            weights.grad = ratios * (transposed @ residual) + 2 * PENALTY * weights
            bias.grad = residual.sum(0)
            loss = -(logits.log_softmax(1) * one_hot).sum() / len(truth)
            return loss + PENALTY * weights.square().sum()

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return NgramTeacher(ratios * weights.detach(), bias.detach())


def distinct_ngrams(corpus: Corpus, buckets: int) -> tuple[Tensor, Tensor]:
    """Hashed n-grams of each text without repetition, and where each text's begin and end."""
    ids = corpus.token_ids.astype(np.uint64)
    texts = np.repeat(np.arange(len(corpus), dtype=np.uint64), corpus.lengths)
    keys = []
    for length in range(1, LONGEST_NGRAM + 1):
        count = max(len(ids) - length + 1, 0)
        hashed = np.zeros(count, np.uint64)
        for position in range(length):
            part = ids[position : position + count]
            hashed = (hashed ^ part) * np.uint64(MULTIPLIER) + np.uint64(INCREMENT)
        bucket = (hashed >> np.uint64(20)) % np.uint64(buckets)
        together = texts[:count] == texts[length - 1 :]
        keys.append((texts[:count] * np.uint64(buckets) + bucket)[together])
    distinct = np.unique(np.concatenate(keys))
    owners = (distinct // np.uint64(buckets)).astype(np.int64)
    counts = np.bincount(owners, minlength=len(corpus))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    features = (distinct % np.uint64(buckets)).astype(np.int64)
    return torch.from_numpy(features), torch.from_numpy(offsets)


def feature_matrix(features: Tensor, offsets: Tensor, buckets: int) -> Tensor:
    """Sparse (texts, buckets); each row's entries are equal and its norm is 1."""
    counts = offsets.diff()
    values = torch.repeat_interleave(counts.clamp(min=1).float().rsqrt(), counts)
    return compressed_rows(offsets, features, values, (len(counts), buckets))


def transpose(matrix: Tensor) -> Tensor:
    rows, columns = matrix.shape
    counts = matrix.crow_indices().diff().long()
    order = matrix.col_indices().argsort(stable=True)
    owners = torch.repeat_interleave(torch.arange(rows), counts)[order]
    offsets = torch.zeros(columns + 1, dtype=torch.int64)
    offsets[1:] = torch.bincount(matrix.col_indices(), minlength=columns).cumsum(0)
    return compressed_rows(offsets, owners, matrix.values()[order], (columns, rows))


def compressed_rows(
    offsets: Tensor, columns: Tensor, values: Tensor, size: tuple[int, int]
) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse", UserWarning)  # a notice that it is in beta
        return torch.sparse_csr_tensor(offsets.int(), columns.int(), values, size)


def log_count_ratios(
    features: Tensor, offsets: Tensor, truth: Tensor, size: tuple[int, int]
) -> Tensor:
    """log(share of n-gram f among a label's n-grams / its share among the other labels')."""
    label = torch.repeat_interleave(truth, offsets.diff())  # (features,)
    buckets, labels = size
    counts = torch.bincount(features * labels + label, minlength=buckets * labels).float()
    counts = counts.view(size)
    others = counts.sum(1, keepdim=True) - counts + SMOOTHING
    counts = counts + SMOOTHING
    return (counts / counts.sum(0)).log() - (others / others.sum(0)).log()  # (buckets, labels)
