"""The model card: what a bundle was measured to do, in words, tables and pictures.

Everything in it comes from the manifest, from an evaluation made just before, and from a file of
notes for what no measurement can tell (Mitchell et al., FAT* 2019).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from model_export.card_pictures import draw_confusion, draw_learning_curves, draw_reliability
from model_export.errors import ModelExportError
from model_export.evaluate import evaluate
from model_export.shape_contract import GATES, ShapeContract, parameter_count
from service.engine.bundle import Bundle, Manifest


def write_card(
    directory: Path, data: Path, behaviour: Path | None, notes: Sequence[Path], console: Console
) -> None:
    """Write ``evaluation.json``, ``evaluation.int8.json``, pictures and ``MODEL_CARD.md``.

    Raises:
        ModelExportError, BundleError, BackendError: as ``evaluate`` does, or unreadable notes.
    """
    try:
        remarks = "\n\n".join(path.read_text(encoding="utf-8").strip() for path in notes)
    except OSError as error:
        raise ModelExportError(f"{error.filename}: cannot be read ({error.strerror})") from error
    manifest = Bundle(directory).manifest
    report = evaluate(directory, data, "onnx", behaviour, directory / "evaluation.json", console)
    int8 = None
    if "onnx-int8" in manifest.backends:
        path = directory / "evaluation.int8.json"
        int8 = evaluate(directory, data, "onnx-int8", behaviour, path, console)
    draw_reliability(report, directory / "reliability.png")
    draw_confusion(report, directory / "confusion.png")
    draw_learning_curves(manifest.training["history"], directory / "learning_curves.png")
    text = card_text(manifest, report, int8, remarks)
    (directory / "MODEL_CARD.md").write_text(text, encoding="utf-8")
    console.print(f"wrote {directory / 'MODEL_CARD.md'}")


def card_text(
    manifest: Manifest, report: dict[str, Any], int8: dict[str, Any] | None, remarks: str
) -> str:
    sizes = manifest.sizes
    together = report["together"]
    sections = [
        f"# {manifest.name} {manifest.version}",
        f"Embedding of {sizes.vocabulary:,} × {sizes.embedding}, {sizes.layers} bidirectional "
        f"{manifest.cell.upper()} layers of {sizes.hidden} units per direction over packed texts, "
        f"the last layer's two final states, linear. {parameters(manifest):,} parameters. "
        f"Labels: {', '.join(manifest.labels)}. At most {manifest.max_tokens:,} tokens.",
        "Every number below was measured on dev texts, on which the checkpoint and the temperature "
        "were chosen: expect a little less on texts of your own.",
        remarks,
        "## Accuracy",
        accuracy_table(report, int8),
        f"Macro average over files: {report['macro_accuracy']:.2%}. {int8_text(report, int8)} "
        "Intervals hold 95 % of bootstrap resamples.",
        "![Confusion matrices](confusion.png)",
        "### By length",
        length_table(together),
        "## Calibration",
        f"The temperature {manifest.metrics['temperature']:.3f} is folded into the last layer. "
        "Expected calibration error over all dev texts together: "
        f"{together['expected_calibration_error']:.2%}.",
        "![Reliability diagram](reliability.png)",
    ]
    if "behaviour" in report:
        sections += ["## Behaviour", *behaviour_text(report, int8)]
    sections += [
        "## Cost",
        cost_text(manifest, report, int8),
        "## Training",
        training_text(manifest),
        "![Learning curves](learning_curves.png)",
        "### Data",
        table(
            ["file", "sha256"],
            [
                [name, f"`{digest[:16]}…`"]
                for name, digest in manifest.training["data_sha256"].items()
            ],
        ),
        "### Configuration",
        "```json\n" + json.dumps(manifest.training["configuration"], indent=2) + "\n```",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def int8_text(report: dict[str, Any], int8: dict[str, Any] | None) -> str:
    if int8 is None:
        return "It was published without int8, which missed its golden answers."
    loss = report["together"]["accuracy"] - int8["together"]["accuracy"]
    return f"int8 loses {loss * 100:.2f} points over all dev texts together."


def accuracy_table(report: dict[str, Any], int8: dict[str, Any] | None) -> str:
    rows = []
    for name, found in [*report["files"].items(), ("together", report["together"])]:
        other = "–"
        if int8 is not None:
            share = int8["together"] if name == "together" else int8["files"][name]
            other = f"{share['accuracy']:.2%}"
        low, high = found["interval"]
        rows.append(
            [
                name,
                f"{found['texts']:,}",
                f"{found['accuracy']:.2%}",
                f"{low:.1%} – {high:.1%}",
                other,
                f"{found['expected_calibration_error']:.2%}",
            ]
        )
    head = ["dev file", "texts", "accuracy", "interval", "int8", "calibration error"]
    return table(head, rows)


def length_table(together: dict[str, Any]) -> str:
    rows = []
    buckets = together["length_buckets"]
    for bucket, following in zip(buckets, [*buckets[1:], None], strict=True):
        first = bucket["more_than_tokens"] + 1
        last = f" to {following['more_than_tokens']:,}" if following else " or more"
        low, high = bucket["interval"]
        share = f"{bucket['accuracy']:.2%}"
        rows.append([f"{first:,}{last}", f"{bucket['texts']:,}", share, f"{low:.1%} – {high:.1%}"])
    return table(["tokens", "texts", "accuracy", "interval"], rows)


def behaviour_text(report: dict[str, Any], int8: dict[str, Any] | None) -> list[str]:
    rows = []
    others = [f"{rate['passed'] / rate['cases']:.0%}" for rate in (int8 or {}).get("behaviour", [])]
    others = others or ["–"] * len(report["behaviour"])
    for rate, passed_int8 in zip(report["behaviour"], others, strict=True):
        count = rate["cases"]
        passed = f"{rate['passed'] / count:.0%}"
        rows.append([rate["capability"], rate["kind"], str(count), passed, passed_int8])
    cases = sum(rate["cases"] for rate in report["behaviour"])
    passed = sum(rate["passed"] for rate in report["behaviour"])
    failures = [
        f"- {rate['capability']}: {failure}"
        for rate in report["behaviour"]
        for failure in rate["failures"]
    ]
    return [
        f"{passed} of {cases} cases of our own writing pass (CheckList style).",
        table(["capability", "kind", "cases", "passed", "int8"], rows),
        "### Known failures",
        "\n".join(failures) or "None of the cases.",
    ]


def parameters(manifest: Manifest) -> int:
    sizes = manifest.sizes
    recurrent = ShapeContract.of_manifest(manifest)
    linear = (sizes.directions * sizes.hidden + 1) * len(manifest.labels)
    return sizes.vocabulary * sizes.embedding + parameter_count(recurrent) + linear


def flop_per_token(manifest: Manifest) -> int:
    """Multiplications and additions of the recurrent layers' products, forward only."""
    sizes, total = manifest.sizes, 0
    for layer in range(sizes.layers):
        width = sizes.embedding if layer == 0 else sizes.directions * sizes.hidden
        total += sizes.directions * 2 * GATES[manifest.cell] * sizes.hidden * (width + sizes.hidden)
    return total


def cost_text(manifest: Manifest, report: dict[str, Any], int8: dict[str, Any] | None) -> str:
    costs = [
        f"{found['together']['processor_microseconds_per_token']:.1f} µs per token in {precision}"
        for precision, found in (("fp32", report), ("int8", int8))
        if found is not None
    ]
    return (
        f"{flop_per_token(manifest) / 1e6:.2f} MFLOP per token. Processor time on the machine that "
        f"evaluated, in batches of 16 texts of similar lengths: {', '.join(costs)}."
    )


def training_text(manifest: Manifest) -> str:
    history = manifest.training["history"]
    last = history[-1]
    environment = ", ".join(f"{k} {v}" for k, v in manifest.training["environment"].items())
    begun = manifest.training.get("pretraining")
    before = ""
    if begun:
        before = (
            f"Pretraining: {begun['tokens'] / 1e6:.1f} million token steps at "
            f"{begun['seconds'] / begun['tokens'] * 1e6:.0f} µs each, from "
            f"{begun['first_loss']:.2f} to {begun['loss']:.2f} nats per predicted token. Training: "
        )
    return (
        f"{before}{last['epoch']} epochs, {last['tokens'] / 1e6:.1f} million token steps at "
        f"{last['microseconds_per_token']:.0f} µs each. Code {manifest.training['code_revision']}; "
        f"{environment}."
    )
