"""Proof that the forms of a bundle are one model: eager, TorchScript, ONNX, and int8 nearly so."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load as load_safetensors
from torch import Tensor

from model_export.classifier import Classifier, pad
from model_export.configuration import ModelConfiguration
from model_export.dataset import find_data_files, read_texts
from model_export.errors import ModelExportError
from model_export.generated_texts import FIXED, generate_text
from model_export.oracle import Oracle
from model_export.progress import TokenProgress
from service.engine.backends import Backend, BackendError
from service.engine.backends.registry import BACKENDS
from service.engine.bundle import Bundle
from service.engine.golden import GoldenText, prove_backend, prove_tokenizer, read_golden
from service.engine.logits import Probabilities, softmax
from service.engine.ragged_batch import RaggedBatch
from service.engine.scorer import cut_by_length
from service.engine.tokenizer import TextTokenizer, TokenIds

PROBABILITY_TOLERANCE = 1e-5
# Beyond this a backend's golden tolerance is more than rounding, and its labels are compared.
EXACT_TOLERANCE = 1e-4
AGREEMENT = 0.99
BATCH_SIZES = (1, 2, 3, 8, 16, 33, 64)
WORDS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2300)


@dataclass(frozen=True)
class Check:
    name: str
    found: str
    wanted: str
    passed: bool
    backend: str = ""  # the one that it is about, if it is about one


@dataclass(frozen=True)
class Report:
    checks: list[Check]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> list[Check]:
        return [check for check in self.checks if not check.passed]


def verify(directory: Path, data: Path | None, console: Console, oracle: bool = False) -> Report:
    """Check a bundle on generated texts and, with ``data``, on its dev files; prints a table.

    With ``oracle`` NumPy answers the golden texts from the equations, and all must agree with it.

    A backend that does not load or misses its golden answers is a failed check of its own.

    Raises:
        BundleError: the bundle does not even load.
    """
    bundle = Bundle(directory)
    tokenizer = TextTokenizer(bundle)
    eager = load_classifier(bundle)
    golden = read_golden(bundle)
    prove_tokenizer(tokenizer, golden)
    backends, checks = proven_backends(bundle, golden)
    exact = [backend for backend in backends if is_exact(backend.name)]
    coarse = [backend for backend in backends if not is_exact(backend.name)]
    # Words of more than one token leave room below the limit.
    words = [word for word in WORDS if 1.7 * word <= bundle.manifest.max_tokens]
    generated = tokenizer.encode([*FIXED, *(generate_text(count, count) for count in words)])
    checks += verify_generated(generated, eager, exact, console)
    if data is not None:
        checks += verify_dev(data, bundle, tokenizer, eager, exact, coarse, console)
    else:
        checks += [agreement_check("generated texts", generated, eager, b) for b in coarse]
    if oracle:
        checks += verify_oracle(bundle, golden, [*exact, *coarse], console)
    report = Report(checks)
    print_report(report, console)
    return report


def proven_backends(bundle: Bundle, golden: list[GoldenText]) -> tuple[list[Backend], list[Check]]:
    """The backends of a CPU that the bundle names, and what their golden answers say."""
    backends, checks = [], []
    for kind in BACKENDS.values():
        if "cpu" not in kind.devices or kind.name not in bundle.manifest.backends:
            continue
        name = f"{kind.name}: golden answers"
        try:
            backend = kind.load(bundle, "cpu", 1)
            difference = prove_backend(backend, golden, bundle.manifest.max_tokens)
        except BackendError as error:
            checks.append(Check(name, str(error), "", False, kind.name))
            continue
        backends.append(backend)
        checks.append(Check(name, f"{difference:.1e}", "", True, kind.name))
    return backends, checks


def is_exact(backend: str) -> bool:
    """Whether it differs from the eager network in rounding only; bundles may lack coarser ones."""
    return BACKENDS[backend].golden_tolerance <= EXACT_TOLERANCE


def load_classifier(bundle: Bundle) -> Classifier:
    """The eager network of ``weights.safetensors``, its embedding in half precision as stored."""
    sizes = bundle.manifest.sizes
    classifier = Classifier(
        ModelConfiguration(
            cell=bundle.manifest.cell,
            embedding_size=sizes.embedding,
            hidden_size=sizes.hidden,
            layers=sizes.layers,
        ),
        sizes.vocabulary,
        len(bundle.manifest.labels),
    )
    weights = load_safetensors(bundle.read("weights.safetensors"))
    classifier.embedding.to(weights["embedding.weight"].dtype)
    classifier.load_state_dict(weights)
    return classifier.eval()


def verify_generated(
    texts: list[TokenIds], eager: Classifier, backends: list[Backend], console: Console
) -> list[Check]:
    """Every text alone, and in batches of all sizes among texts of all lengths."""
    expected = np.concatenate([eager_probabilities(eager, [text]) for text in texts])
    draw = np.random.default_rng(0)
    batches = [draw.integers(0, len(texts), size) for size in BATCH_SIZES]
    lengths = f"{min(map(len, texts))} to {max(map(len, texts)):,} tokens"
    checks = []
    total = sum(map(len, texts)) + sum(len(texts[index]) for batch in batches for index in batch)
    with TokenProgress(console, "generated texts", total * len(backends)) as progress:
        for backend in backends:
            alone = max(
                float(np.abs(probabilities(backend, [text]) - row).max())
                for text, row in zip(texts, expected, strict=True)
            )
            progress.advance(sum(map(len, texts)))
            checks.append(tolerance_check(f"{backend.name}: alone, {lengths}", alone))
            worst = 0.0
            for batch in batches:
                got = probabilities(backend, [texts[index] for index in batch])
                worst = max(worst, float(np.abs(got - expected[batch]).max()))
                progress.advance(sum(len(texts[index]) for index in batch))
            name = f"{backend.name}: batches of {min(BATCH_SIZES)} to {max(BATCH_SIZES)}"
            checks.append(tolerance_check(name, worst))
    batched = max(
        float(np.abs(eager_probabilities(eager, [texts[i] for i in batch]) - expected[batch]).max())
        for batch in batches
    )
    return [*checks, tolerance_check("eager: batched as alone", batched)]


def verify_dev(
    data: Path,
    bundle: Bundle,
    tokenizer: TextTokenizer,
    eager: Classifier,
    exact: list[Backend],
    coarse: list[Backend],
    console: Console,
) -> list[Check]:
    """All dev texts in batches of similar lengths, as a server would form them."""
    values = label_values(bundle)
    texts: list[TokenIds] = []
    labels: list[int] = []
    for file in find_data_files(data):
        if file.split == "dev":
            found = read_texts(file, values)
            texts += [ids[: bundle.manifest.max_tokens] for ids in tokenizer.encode(found.texts)]
            labels += found.labels
    if not texts:
        raise ModelExportError(f"{data}: holds no dev*.jsonl or dev*.jsonl.gz to verify with")
    worst = {backend.name: 0.0 for backend in exact}
    agreeing = {backend.name: 0 for backend in coarse}
    correct = {backend.name: 0 for backend in coarse}
    correct_eager = 0
    total = sum(map(len, texts))
    with TokenProgress(console, "dev texts", total) as progress:
        for indices in cut_by_length(texts):
            batch = [texts[index] for index in indices]
            truth = np.array([labels[index] for index in indices])
            expected = eager_probabilities(eager, batch)
            for backend in exact:
                difference = float(np.abs(probabilities(backend, batch) - expected).max())
                worst[backend.name] = max(worst[backend.name], difference)
            correct_eager += int((expected.argmax(1) == truth).sum())
            for backend in coarse:
                answers = probabilities(backend, batch).argmax(1)
                agreeing[backend.name] += int((answers == expected.argmax(1)).sum())
                correct[backend.name] += int((answers == truth).sum())
            progress.advance(sum(map(len, batch)))
    checks = [
        tolerance_check(f"{name}: {len(texts):,} dev texts", difference)
        for name, difference in worst.items()
    ]
    for name, count in agreeing.items():
        share = count / len(texts)
        checks.append(share_check(f"{name}: labels of {len(texts):,} dev texts", share, name))
        loss = (correct_eager - correct[name]) / len(texts)
        checks.append(Check(f"{name}: accuracy lost on them", f"{loss:.2%}", "", True))
    return checks


def verify_oracle(
    bundle: Bundle, golden: list[GoldenText], backends: list[Backend], console: Console
) -> list[Check]:
    """The equations beside ``golden.json`` and every backend, texts alone and together."""
    texts = [np.array(entry.token_ids, np.int32) for entry in golden]
    with console.status("answering the golden texts from the equations"):
        logits = Oracle(bundle).logits(texts)  # (batch, labels)
    stored = np.array([entry.logits for entry in golden])  # (batch, labels)
    expected = softmax(logits.astype(np.float32))
    checks = [
        tolerance_check("oracle: logits of golden.json", float(np.abs(stored - logits).max()))
    ]
    for backend in backends:
        tolerance = BACKENDS[backend.name].golden_tolerance
        if tolerance <= EXACT_TOLERANCE:
            tolerance = PROBABILITY_TOLERANCE
        alone = np.concatenate([probabilities(backend, [text]) for text in texts])
        for batching, given in (("alone", alone), ("together", probabilities(backend, texts))):
            name = f"oracle: {backend.name}, texts {batching}"
            difference = float(np.abs(given - expected).max())
            checks.append(tolerance_check(name, difference, tolerance))
    return checks


def label_values(bundle: Bundle) -> list[str]:
    """The labels as they stand in the data the bundle was trained on, in logit order."""
    configuration = bundle.manifest.training.get("configuration", {})
    return list(configuration.get("labels", bundle.manifest.labels))


def probabilities(backend: Backend, texts: list[TokenIds]) -> Probabilities:
    return softmax(backend.logits(RaggedBatch.of(texts)))  # (texts, labels)


def eager_probabilities(classifier: Classifier, texts: list[TokenIds]) -> Probabilities:
    with torch.inference_mode():
        logits: Tensor = classifier(*pad([text.tolist() for text in texts]))
    return softmax(logits.numpy())  # (batch, labels)


def agreement_check(what: str, texts: list[TokenIds], eager: Classifier, backend: Backend) -> Check:
    same = [
        eager_probabilities(eager, [text]).argmax() == probabilities(backend, [text]).argmax()
        for text in texts
    ]
    return Check(f"{backend.name}: labels of {what}", f"{np.mean(same):.2%}", "", True)


def tolerance_check(
    name: str, difference: float, tolerance: float = PROBABILITY_TOLERANCE
) -> Check:
    passed = difference <= tolerance  # NaN fails
    return Check(name, f"{difference:.1e}", f"≤ {tolerance:.0e}", passed)


def share_check(name: str, share: float, backend: str) -> Check:
    return Check(name, f"{share:.2%}", f"≥ {AGREEMENT:.0%}", share >= AGREEMENT, backend)


def print_report(report: Report, console: Console) -> None:
    table = Table("check", "found", "wanted", "")
    for check in report.checks:
        table.add_row(check.name, check.found, check.wanted, "ok" if check.passed else "FAILED")
    console.print(table)
