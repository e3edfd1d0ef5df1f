"""Which windows of which texts form the batches of an epoch, as a function of seed and epoch."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model_export.corpus import Corpus, Int64s

LENGTH_NOISE = 0.15


@dataclass(frozen=True)
class Batch:
    """Ids (batch, time) padded with 0, lengths (batch) and the texts' numbers (batch)."""

    token_ids: Tensor
    lengths: Tensor
    texts: Tensor


@dataclass(frozen=True)
class EpochPlan:
    """Windows of texts, and which of the windows form which batch."""

    texts: Int64s  # (windows,)
    starts: Int64s  # (windows,)
    lengths: Int64s  # (windows,)
    batches: list[Int64s]

    def batch_tokens(self) -> list[int]:
        """How many tokens each batch holds, its padding not counted."""
        return [int(self.lengths[windows].sum()) for windows in self.batches]

    def batch(self, corpus: Corpus, windows: Int64s) -> Batch:
        """The given windows, padded to the longest."""
        lengths = self.lengths[windows]
        token_ids = np.zeros((len(windows), lengths.max()), np.int64)
        for row, window in enumerate(windows):
            begin = corpus.offsets[self.texts[window]] + self.starts[window]
            token_ids[row, : lengths[row]] = corpus.token_ids[begin : begin + lengths[row]]
        return Batch(
            torch.from_numpy(token_ids),
            torch.from_numpy(lengths),
            torch.from_numpy(self.texts[windows]),
        )


def plan_epoch(
    lengths: Int64s,
    shares: npt.NDArray[np.float64],
    crop_tokens: int,
    batch_tokens: int,
    batch_texts: int,
    generator: np.random.Generator,
) -> EpochPlan:
    """``shares[i]`` is the expected number of places of text i: 2.5 is two or three.

    A text longer than the crop gives its head, its tail or a window between, a third of the time
    each: opinions are summed up at both ends of reviews.
    """
    places = np.floor(shares + generator.random(len(shares))).astype(np.int64)
    texts = np.repeat(np.arange(len(lengths)), places)
    full = lengths[texts]
    cropped = np.minimum(full, crop_tokens)
    room = full - cropped
    kind = generator.integers(0, 3, len(texts))
    anywhere = np.floor(generator.random(len(texts)) * (room + 1)).astype(np.int64)
    starts = np.choose(kind, [np.zeros_like(room), room, anywhere])
    batches = form_batches(cropped, batch_tokens, batch_texts, generator)
    return EpochPlan(texts, starts, cropped, batches)


def plan_pass(
    lengths: Int64s,
    window_tokens: int,
    shortest_tokens: int,
    batch_tokens: int,
    generator: np.random.Generator,
) -> EpochPlan:
    """All of every text, cut into consecutive windows from a random place on.

    Only windows of at least ``shortest_tokens`` are kept.
    """
    # A first window of random length, so that passes cut at different places.
    head = np.where(
        lengths > window_tokens, generator.integers(1, window_tokens + 1, len(lengths)), 0
    )
    counts = -(-(lengths - head) // window_tokens) + (head > 0)
    texts = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(texts)) - np.repeat(np.cumsum(counts) - counts, counts)
    begin = number * window_tokens + np.where(head > 0, head - window_tokens, 0)[texts]
    starts = np.maximum(begin, 0)
    cut = np.minimum(begin + window_tokens, lengths[texts]) - starts
    kept = cut >= shortest_tokens
    texts, starts, cut = texts[kept], starts[kept], cut[kept]
    return EpochPlan(texts, starts, cut, form_batches(cut, batch_tokens, len(texts), generator))


def form_batches(
    lengths: Int64s, batch_tokens: int, batch_texts: int, generator: np.random.Generator
) -> list[Int64s]:
    """Windows of similar lengths together, in random order; the limits count the padding."""
    order = np.argsort(lengths * (1 + LENGTH_NOISE * generator.random(len(lengths))), kind="stable")
    batches, first = [], 0
    ordered = lengths[order]
    while first < len(order):
        last, longest = first, 0
        while last < len(order) and last - first < batch_texts:
            longest = max(longest, int(ordered[last]))
            if last > first and longest * (last - first + 1) > batch_tokens:
                break
            last += 1
        batches.append(order[first:last])
        first = last
    return [batches[index] for index in generator.permutation(len(batches))]
