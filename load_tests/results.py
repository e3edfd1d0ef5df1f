"""What a measurement leaves behind: its figures, with the machine and the day, as JSON."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from load_tests.machine import describe_machine

FORMAT_VERSION = 1

Results = dict[str, Any]


def begin_results() -> Results:
    """To be called before anything is measured: the load that was there belongs to the figures."""
    return {
        "format_version": FORMAT_VERSION,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": describe_machine(),
    }


def write_results(results: Results, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(json_safe(results), indent=1) + "\n", encoding="utf-8")
    print(f"results: {output}", file=sys.stderr)


def read_results(file: Path) -> Results:
    """Raises ValueError: this is no results file, or one of another format."""
    results = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(results, dict) or results.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"{file}: not a results file of format {FORMAT_VERSION}")
    return results


def json_safe(value: object) -> object:
    """NaN, which JSON has not, as null."""
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def measured_on(results: Results) -> str:
    """The sentence without which figures mean nothing."""
    machine = results["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; Python"
        f" {machine['python']}, ONNX Runtime {machine['packages'].get('onnxruntime', '?')};"
        f" {results['started_at'][:10]}, load average before {machine['load_before']}."
    )
