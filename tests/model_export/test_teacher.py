import numpy as np
import torch

from model_export.corpus import Corpus
from model_export.embeddings import cooccurrence_vectors
from model_export.teacher import fit_teacher


def corpus(texts: list[list[int]], labels: list[int]) -> Corpus:
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    return Corpus(np.concatenate(texts).astype(np.uint16), offsets, np.array(labels))


def sequences(labels: int) -> Corpus:
    """Label i is told by the token i + 10 among noise."""
    draw = np.random.default_rng(0)
    truth = [index % labels for index in range(300)]
    texts = [
        [*draw.integers(20, 60, draw.integers(0, 12)), label + 10, *draw.integers(20, 60, 3)]
        for label in truth
    ]
    return corpus(texts, truth)


def test_the_teacher_finds_telling_ngrams_for_any_number_of_labels() -> None:
    for labels in (2, 3, 5):
        known = sequences(labels)
        teacher = fit_teacher(known, labels)
        fresh = corpus([[30, 10 + label, 31] for label in range(labels)], list(range(labels)))
        probabilities = teacher.probabilities(fresh)
        assert probabilities.argmax(1).tolist() == list(range(labels))
        torch.testing.assert_close(probabilities.sum(1), torch.ones(labels))


def test_order_matters_to_it() -> None:
    # Both labels hold the same tokens; only the pairs differ.
    texts = [[1, 2, 3], [3, 2, 1]] * 40
    teacher = fit_teacher(corpus(texts, [0, 1] * 40), 2)
    found = teacher.probabilities(corpus([[1, 2, 3], [3, 2, 1]], [0, 1]))
    assert found.argmax(1).tolist() == [0, 1]


def test_tokens_in_the_same_contexts_get_similar_vectors() -> None:
    draw = np.random.default_rng(0)
    # Tokens 1 and 2 stand beside tokens 10 to 14, tokens 3 and 4 beside 15 to 19.
    texts = []
    for _ in range(600):
        token = int(draw.integers(1, 5))
        contexts = draw.integers(10, 15, 4) if token <= 2 else draw.integers(15, 20, 4)
        texts.append([*contexts[:2], token, *contexts[2:]])
    vectors = cooccurrence_vectors(corpus(texts, [0] * 600), 20, 6)
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    assert vectors[1] @ vectors[2] > 0.8
    assert vectors[1] @ vectors[2] > vectors[1] @ vectors[3] + 0.5
