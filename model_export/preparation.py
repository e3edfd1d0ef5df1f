"""What a training needs before its first step; each piece is made once and kept in the run."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from tokenizers import Tokenizer
from torch import Tensor

from model_export.configuration import Configuration
from model_export.corpus import Corpus, concatenate, encode_file
from model_export.dataset import DataFile, iterate_texts
from model_export.embeddings import cooccurrence_vectors
from model_export.prediction import accuracy
from model_export.run import Run, load_tensors, save_tensors, write_whole
from model_export.teacher import fit_teacher
from model_export.vocabulary import learn_tokenizer


@dataclass(frozen=True)
class TrainingData:
    """Labelled texts first, then unlabelled.

    ``shares`` are their expected places in an epoch that takes all of them, ``soft_labels`` the
    n-gram teacher's probabilities of the unlabelled ones, ``vectors`` the embedding to begin with.
    """

    vocabulary_size: int
    corpus: Corpus
    labelled: int
    shares: npt.NDArray[np.float64]  # (texts,)
    soft_labels: Tensor | None  # (unlabelled texts, labels)
    vectors: Tensor | None  # (vocabulary, embedding)
    dev: dict[str, Corpus]


def prepare(
    configuration: Configuration, files: list[DataFile], run: Run, console: Console
) -> TrainingData:
    """Raises ModelExportError at the first bad row."""
    tokenizer = prepare_tokenizer(configuration, files, run, console)
    corpora = {}
    for file in files:
        with console.status(f"encoding {file.name}"):
            corpora[file.name] = encode_file(file, list(configuration.labels), tokenizer, run.cache)
    seen = [file.name for file in files if file.split != "dev"]
    corpus = concatenate([corpora[name] for name in seen])
    shares = np.concatenate(
        [np.full(len(corpora[name]), configuration.repeat.get(name, 1.0)) for name in seen]
    )
    # Stable: labelled texts come first and keep their order.
    order = np.argsort(corpus.labels < 0, kind="stable")
    labelled = int((corpus.labels >= 0).sum())
    corpus, shares = corpus.take(order), shares[order]
    dev = {file.name: corpora[file.name] for file in files if file.split == "dev"}
    console.print(
        f"{labelled:,} labelled and {len(corpus) - labelled:,} unlabelled texts, "
        f"{len(corpus.token_ids):,} tokens"
    )
    size = tokenizer.get_vocab_size()
    soft_labels = vectors = None
    if configuration.teacher and len(corpus) > labelled:
        soft_labels = prepare_soft_labels(configuration, corpus, labelled, dev, run, console)
    if configuration.training.pretrained_embedding:
        vectors = prepare_vectors(corpus, size, configuration.model.embedding_size, run, console)
    return TrainingData(size, corpus, labelled, shares, soft_labels, vectors, dev)


def prepare_tokenizer(
    configuration: Configuration, files: list[DataFile], run: Run, console: Console
) -> Tokenizer:
    if not run.tokenizer.exists():
        with console.status("learning the vocabulary"):
            seen = [file for file in files if file.split != "dev"]
            texts = iterate_texts(seen, list(configuration.labels))
            tokenizer = learn_tokenizer(texts, configuration.vocabulary)
            write_whole(run.tokenizer, lambda path: tokenizer.save(str(path)))
        console.print(f"vocabulary: {tokenizer.get_vocab_size():,} tokens")
    return Tokenizer.from_file(str(run.tokenizer))


def prepare_soft_labels(
    configuration: Configuration,
    corpus: Corpus,
    labelled: int,
    dev: dict[str, Corpus],
    run: Run,
    console: Console,
) -> Tensor:
    path = run.directory / "soft_labels-ngrams.pt"
    if not path.exists():
        with console.status("fitting the n-gram teacher"):
            teacher = fit_teacher(corpus.take(np.arange(labelled)), len(configuration.labels))
            for name, texts in dev.items():
                share = accuracy(teacher.probabilities(texts), torch.from_numpy(texts.labels))
                console.print(f"  n-gram teacher on {name}: {share:.2%}")
            unknown = corpus.take(np.arange(labelled, len(corpus)))
            save_tensors(path, teacher.probabilities(unknown))
    soft_labels: Tensor = load_tensors(path)
    return soft_labels


def prepare_vectors(
    corpus: Corpus, vocabulary_size: int, embedding_size: int, run: Run, console: Console
) -> Tensor:
    path = run.directory / "embedding.pt"
    if not path.exists():
        with console.status("counting co-occurrences for the embedding"):
            save_tensors(path, cooccurrence_vectors(corpus, vocabulary_size, embedding_size))
    vectors: Tensor = load_tensors(path)
    return vectors
