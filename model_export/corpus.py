"""Texts as token ids in flat arrays, the form in which they are shuffled, cropped and batched."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from model_export.dataset import DataFile, read_texts

Int64s = npt.NDArray[np.int64]
ENCODE_TEXTS = 4096


@dataclass(frozen=True)
class Corpus:
    """Text ``i`` has the ids ``token_ids[offsets[i]:offsets[i + 1]]`` and the label ``labels[i]``,
    -1 where it is unknown."""

    token_ids: npt.NDArray[np.uint16]  # (tokens,)
    offsets: Int64s  # (texts + 1,)
    labels: Int64s  # (texts,)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> Int64s:
        return np.diff(self.offsets)  # (texts,)

    def text(self, index: int) -> npt.NDArray[np.uint16]:
        return self.token_ids[self.offsets[index] : self.offsets[index + 1]]

    def take(self, texts: Int64s) -> "Corpus":
        """The given texts in the given order."""
        lengths = self.lengths[texts]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        token_ids = self.token_ids[np.repeat(self.offsets[texts], lengths) + within]
        return Corpus(token_ids, offsets, self.labels[texts])


def encode(texts: Sequence[str], labels: Sequence[int], tokenizer: Tokenizer) -> Corpus:
    pieces: list[npt.NDArray[np.uint16]] = []
    for start in range(0, len(texts), ENCODE_TEXTS):
        encodings = tokenizer.encode_batch_fast(list(texts[start : start + ENCODE_TEXTS]))
        pieces.extend(np.array(encoding.ids, dtype=np.uint16) for encoding in encodings)
    offsets = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])])
    return Corpus(
        np.concatenate(pieces) if pieces else np.empty(0, np.uint16),
        offsets.astype(np.int64),
        np.array(labels, dtype=np.int64),
    )


def concatenate(corpora: Sequence[Corpus]) -> Corpus:
    starts = np.cumsum([0, *(len(corpus.token_ids) for corpus in corpora)])
    return Corpus(
        np.concatenate([corpus.token_ids for corpus in corpora]),
        np.concatenate(
            [
                [0],
                *(
                    corpus.offsets[1:] + start
                    for corpus, start in zip(corpora, starts, strict=False)
                ),
            ]
        ).astype(np.int64),
        np.concatenate([corpus.labels for corpus in corpora]),
    )


def encode_file(
    file: DataFile, label_values: list[str], tokenizer: Tokenizer, cache: Path | None = None
) -> Corpus:
    """Ids of one file, kept in the directory ``cache`` for the next start."""
    kept = cache / f"{file.name.replace('/', '--')}.npz" if cache else None
    if kept and kept.exists():
        with np.load(kept) as arrays:
            return Corpus(arrays["token_ids"], arrays["offsets"], arrays["labels"])
    texts = read_texts(file, label_values)
    corpus = encode(texts.texts, texts.labels, tokenizer)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".unfinished")
        with unfinished.open("wb") as written:
            np.savez(
                written, token_ids=corpus.token_ids, offsets=corpus.offsets, labels=corpus.labels
            )
        unfinished.replace(kept)
    return corpus
