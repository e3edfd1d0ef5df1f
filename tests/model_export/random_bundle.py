"""Whole small bundles of untrained networks, in a second each."""

import json
from pathlib import Path

import torch

from model_export.classifier import Classifier
from model_export.export import write_manifest, write_models
from model_export.generated_texts import FIXED, generate_text
from model_export.golden import golden_texts
from model_export.vocabulary import learn_tokenizer
from service.engine.bundle import Bundle
from tests.model_export.opinions import small_configuration


def write_random_bundle(
    directory: Path,
    cell: str = "lstm",
    certainty: float = 5.0,
    backends: tuple[str, ...] = ("torchscript", "onnx"),
) -> Bundle:
    """The larger ``certainty``, the further the answers are from one half.

    How far dynamic int8 is off in so small a model depends on the processor, so that nobody gets it
    who does not ask for it.
    """
    configuration = small_configuration(
        model={"cell": cell, "embedding_size": 6, "hidden_size": 8, "layers": 2},
        max_tokens=64,
    )
    tokenizer = learn_tokenizer([*FIXED, generate_text(200, 1)], configuration.vocabulary)
    torch.manual_seed(0)
    classifier = Classifier(configuration.model, tokenizer.get_vocab_size(), 2).eval()
    for parameter in (classifier.embedding.weight, classifier.linear.weight):
        parameter.data *= certainty
    classifier.embedding.half()
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    write_models(classifier, directory)
    golden = [entry.model_dump() for entry in golden_texts(classifier, tokenizer)]
    (directory / "golden.json").write_text(json.dumps(golden))
    write_manifest(directory, configuration, classifier, {}, {}, list(backends))
    return Bundle(directory)
