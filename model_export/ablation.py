"""What each ingredient of a recipe is worth: the same small training with one thing changed."""

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field, ValidationError
from rich.console import Console
from tokenizers import Tokenizer

from model_export.card import table
from model_export.classifier import Classifier
from model_export.configuration import Configuration, Section
from model_export.corpus import Corpus, concatenate, encode_file
from model_export.dataset import find_data_files
from model_export.errors import ModelExportError, first_problem
from model_export.prediction import predict_logits
from model_export.run import Run, load_tensors, write_whole
from model_export.timing import best_seconds
from model_export.training import train

TIMED_TEXTS = 64
TIMED_SECONDS = 2.0


class Variant(Section):
    """``changes`` are put over the base, key by key; sections named in ``without`` go."""

    name: str
    changes: dict[str, Any] = Field(default={})
    without: list[str] = Field(default=[])


class Ablation(Section):
    """``base`` is a configuration file beside this one; ``common`` changes it for all variants."""

    base: str
    common: dict[str, Any] = Field(default={})
    variants: list[Variant]


def read_ablation(path: Path) -> list[tuple[str, Configuration]]:
    """The variants by name, in the order of the file.

    Raises:
        ModelExportError: a file cannot be read, or a variant is no configuration.
    """
    try:
        ablation = Ablation.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        base = tomllib.loads((path.parent / ablation.base).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ModelExportError(f"{path}: {str(error).splitlines()[0]}") from error
    found = []
    for variant in ablation.variants:
        changed = changed_by(changed_by(base, ablation.common), variant.changes)
        kept = {key: value for key, value in changed.items() if key not in variant.without}
        try:
            found.append((variant.name, Configuration.model_validate(kept)))
        except ValidationError as error:
            raise ModelExportError(f"{path}: {variant.name}: {first_problem(error)}") from error
    return found


def changed_by(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict)
        merged[key] = changed_by(inner, value) if both else value  # type: ignore[arg-type]
    return merged


def ablate(
    path: Path,
    data: Path,
    runs: Path,
    prepared: Run | None,
    processes: int,
    results: Path,
    console: Console,
) -> None:
    """Train every variant that is not yet trained; write ``results`` (JSON) and a table beside it.

    Results are written after each variant, so that those of a stopped ablation can be read.
    ``prepared`` is a run whose vocabulary, vectors, soft labels and pretraining are taken where
    they would come out the same; without one the first variant's are.

    Raises:
        ModelExportError: as ``read_ablation`` and ``train`` do.
    """
    variants = read_ablation(path)
    files = find_data_files(data)
    found: list[dict[str, Any]] = []
    for name, configuration in variants:
        console.rule(name)
        run = Run(runs / name.replace(" ", "-"))
        run.open_for(configuration, {file.name: file.sha256() for file in files})
        if prepared:
            run.borrow(prepared)
        train(configuration, data, run, "cpu", processes, console)
        prepared = prepared or run
        found.append({"variant": name, **measure(configuration, data, run)})
        write_results(results, found, len(variants))
    console.print(ablation_table(found), soft_wrap=True)


def write_results(path: Path, found: list[dict[str, Any]], planned: int) -> None:
    text = json.dumps({"planned": planned, "variants": found}, indent=2) + "\n"
    write_whole(path, lambda file: file.write_text(text))
    shown = ablation_table(found) + "\n"
    write_whole(path.with_suffix(".md"), lambda file: file.write_text(shown))


def measure(configuration: Configuration, data: Path, run: Run) -> dict[str, Any]:
    best = load_tensors(run.best)
    last = best["history"][-1]
    vocabulary_size = len(best["weights"]["embedding.weight"])
    classifier = Classifier(configuration.model, vocabulary_size, len(configuration.labels))
    classifier.load_state_dict(best["weights"])
    texts = timed_texts(configuration, data, run)
    seconds = best_seconds(lambda: predict_logits(classifier, texts), TIMED_SECONDS)
    return {
        "accuracy": last["accuracy"],
        "macro_accuracy": last["macro_accuracy"],
        "parameters": sum(parameter.numel() for parameter in classifier.recurrent.parameters()),
        "tokens": last["tokens"],
        "training_microseconds_per_token": last["microseconds_per_token"],
        "inference_microseconds_per_token": seconds / len(texts.token_ids) * 1e6,
        "threads": torch.get_num_threads(),
    }


def timed_texts(configuration: Configuration, data: Path, run: Run) -> Corpus:
    """The same dev texts of all files for every variant."""
    tokenizer = Tokenizer.from_file(str(run.tokenizer))
    dev = concatenate(
        [
            encode_file(file, list(configuration.labels), tokenizer, run.cache)
            for file in find_data_files(data)
            if file.split == "dev"
        ]
    )
    step = max(1, len(dev) // TIMED_TEXTS)
    return dev.take(np.arange(0, len(dev), step))


def ablation_table(found: list[dict[str, Any]]) -> str:
    names = list(found[0]["accuracy"])
    head = ["variant", "macro", *(name.removesuffix("/dev") for name in names)]
    head += ["recurrent parameters", "µs/token, training", "µs/token, answering"]
    rows = [
        [
            row["variant"],
            *(f"{share:.2%}" for share in (row["macro_accuracy"], *row["accuracy"].values())),
            f"{row['parameters']:,}",
            f"{row['training_microseconds_per_token']:.0f}",
            f"{row['inference_microseconds_per_token']:.1f}",
        ]
        for row in found
    ]
    return table(head, rows)
