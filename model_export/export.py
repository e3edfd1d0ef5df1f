"""From a training run to a published bundle: trace, write, verify, and only then put it there."""

import hashlib
import json
import logging
import platform
import shutil
import subprocess
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from rich.console import Console
from safetensors.torch import save_file
from tokenizers import Tokenizer

from model_export.calibration import fit_temperature, fold_temperature
from model_export.classifier import Classifier, pad
from model_export.configuration import Configuration
from model_export.corpus import concatenate, encode_file
from model_export.dataset import DataFile
from model_export.errors import ModelExportError
from model_export.golden import golden_texts
from model_export.prediction import accuracy, predict_logits
from model_export.run import Run, load_tensors
from model_export.verify import Report, is_exact, verify
from service.engine.backends.registry import BACKENDS
from service.engine.bundle import MANIFEST, Bundle, FileEntry, Manifest, Sizes

# Read by others than the backend whose file it is.
KEPT_FILES = {"weights.safetensors"}
TRACED_LENGTHS = (3, 7, 1, 5)


def export(run: Run, bundle: Path, data: Path | None, console: Console) -> None:
    """Publish the best weights of ``run`` as the directory ``bundle``.

    The temperature is fitted on the run's own dev texts. ``data`` is only for verifying with dev
    files too.

    Raises:
        ModelExportError: there is nothing to export, or the bundle failed its verification; the
            directory ``bundle`` is then as it was.
    """
    configuration = run.configuration()
    if not run.best.exists():
        raise ModelExportError(
            f"{run.directory}: has finished no epoch, so there is nothing to export"
        )
    best = load_tensors(run.best)
    tokenizer = Tokenizer.from_file(str(run.tokenizer))
    classifier = Classifier(
        configuration.model, tokenizer.get_vocab_size(), len(configuration.labels)
    )
    classifier.load_state_dict(best["weights"])
    classifier.eval()
    # The stored table is half precision; rounding it first keeps every form of the model the same.
    classifier.embedding.half()
    metrics = calibrate(classifier, run, best["history"], console)
    bundle.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=bundle.parent, prefix=".export-") as directory:
        draft = Path(directory) / bundle.name
        draft.mkdir()
        with console.status("tracing"):
            write_models(classifier, draft)
            shutil.copyfile(run.tokenizer, draft / "tokenizer.json")
            golden = [entry.model_dump() for entry in golden_texts(classifier, tokenizer)]
            (draft / "golden.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")
            facts = training_facts(run, best)
            candidates = [kind.name for kind in BACKENDS.values() if kind.proven_at_export]
            write_manifest(draft, configuration, classifier, facts, metrics, candidates)
        refused = refused_backends(verify(draft, data, console))
        if refused:
            for name in refused:
                console.print(f"published without {name}, which failed its verification")
                if BACKENDS[name].file not in KEPT_FILES:
                    (draft / BACKENDS[name].file).unlink()
            (draft / MANIFEST).unlink()
            kept = [name for name in candidates if name not in refused]
            write_manifest(draft, configuration, classifier, facts, metrics, kept)
        publish(draft, bundle)
    console.print(f"published {bundle}: {sum(f.stat().st_size for f in bundle.iterdir()):,} bytes")


def refused_backends(report: Report) -> list[str]:
    """The backends that the bundle can do without and has to.

    Raises:
        ModelExportError: something failed that no bundle can do without.
    """
    names = dict.fromkeys(check.backend for check in report.failures)
    if any(not name or is_exact(name) for name in names):
        raise ModelExportError("the bundle failed its verification, so nothing was published")
    return list(names)


def calibrate(
    classifier: Classifier, run: Run, history: list[dict[str, Any]], console: Console
) -> dict[str, Any]:
    """Fold the fitted temperature in and return the manifest's metrics."""
    cached = sorted(run.cache.glob("*.npz"))
    configuration = run.configuration()
    dev = [file for file in cached if file.stem.rpartition("--")[2].startswith("dev")]
    metrics: dict[str, Any] = {"accuracy": history[-1]["accuracy"], "temperature": 1.0}
    if dev:
        values = list(configuration.labels)
        tokenizer = Tokenizer.from_file(str(run.tokenizer))
        names = [file.stem.replace("--", "/") for file in dev]
        corpora = [
            encode_file(DataFile(name, "dev", file), values, tokenizer, run.cache)
            for name, file in zip(names, dev, strict=True)
        ]
        with console.status("fitting the temperature on the dev texts"):
            corpus = concatenate(corpora)
            logits, labels = predict_logits(classifier, corpus), torch.from_numpy(corpus.labels)
        temperature = fit_temperature(logits, labels)
        fold_temperature(classifier, temperature)
        metrics["temperature"] = temperature
        start, shares = 0, {}
        for name, part in zip(names, corpora, strict=True):
            stop = start + len(part)
            shares[name] = accuracy(logits[start:stop], labels[start:stop])
            start = stop
        metrics["accuracy"] = shares
        console.print(f"temperature {temperature:.3f}")
    return metrics


def write_models(classifier: Classifier, directory: Path) -> None:
    """``weights.safetensors``, ``model.ts``, ``model.onnx`` and ``model.int8.onnx``."""
    save_file(classifier.state_dict(), directory / "weights.safetensors")
    example = pad([np.zeros(length, np.int64).tolist() for length in TRACED_LENGTHS])
    with warnings.catch_warnings():
        # Both tracers warn that they specialise on the example's sizes; verify proves otherwise.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(classifier, example)  # type: ignore[no-untyped-call]
        traced.save(str(directory / "model.ts"))
        torch.onnx.export(
            classifier,
            example,
            directory / "model.onnx",
            input_names=["token_ids", "lengths"],
            output_names=["logits"],
            dynamic_axes={
                "token_ids": {0: "batch", 1: "time"},
                "lengths": {0: "batch"},
                "logits": {0: "batch"},
            },
            dynamo=False,
        )
    onnx.checker.check_model(onnx.load(directory / "model.onnx"))
    logging.disable(logging.WARNING)  # it advises a pre-processing that would change nothing here
    quantize_dynamic(
        directory / "model.onnx",
        directory / "model.int8.onnx",
        op_types_to_quantize=["LSTM", "MatMul"],
        weight_type=QuantType.QInt8,
        # One scale per gate unit: with one per matrix, a few large weights blur all the others.
        per_channel=True,
    )
    logging.disable(logging.NOTSET)
    for path in directory.iterdir():
        path.chmod(0o644)


def write_manifest(
    directory: Path,
    configuration: Configuration,
    classifier: Classifier,
    training: dict[str, Any],
    metrics: dict[str, Any],
    backends: list[str],
) -> None:
    files = {}
    for path in sorted(directory.iterdir()):
        content = path.read_bytes()
        files[path.name] = FileEntry(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    manifest = Manifest(
        format_version=1,
        name=configuration.name,
        version=configuration.version,
        labels=list(configuration.labels.values()),
        cell=configuration.model.cell,
        sizes=Sizes(
            vocabulary=classifier.embedding.num_embeddings,
            embedding=configuration.model.embedding_size,
            hidden=configuration.model.hidden_size,
            layers=configuration.model.layers,
            directions=2,
        ),
        max_tokens=configuration.max_tokens,
        backends=backends,
        training=training,
        metrics=metrics,
        files=files,
    )
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")


def training_facts(run: Run, best: dict[str, Any]) -> dict[str, Any]:
    pretraining = load_tensors(run.pretraining)["state"] if run.pretraining.exists() else None
    return {
        "configuration": run.configuration().model_dump(mode="json"),
        "data_sha256": run.data_sha256(),
        "code_revision": code_revision(),
        "environment": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "tokenizers", "onnx", "onnxruntime")},
        },
        "pretraining": pretraining,
        "history": best["history"],
    }


def code_revision() -> str:
    """The commit of the code that exports, with ``-dirty`` where it was changed; or ``unknown``."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def publish(draft: Path, bundle: Path) -> None:
    """Put the draft in the place of the bundle, whose old contents go only once that is done."""
    Bundle(draft)
    if not bundle.exists():
        draft.rename(bundle)
        return
    if not (bundle / MANIFEST).exists() and any(bundle.iterdir()):
        raise ModelExportError(f"{bundle}: is a directory that holds something other than a bundle")
    old = draft.with_name("old")
    bundle.rename(old)
    try:
        draft.rename(bundle)
    except OSError:
        old.rename(bundle)
        raise
