"""Results files: the figures of a measurement as JSON, with the machine and the day."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from load_tests.machine import describe_machine

FORMAT_VERSION = 2

Results = dict[str, Any]


def begin_results() -> Results:
    """Call it before anything is measured: it records the load that the machine had already."""
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
    """Raises ValueError: this is not a results file, or one of another format."""
    results = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(results, dict) or results.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"{file}: not a results file of format {FORMAT_VERSION}")
    return results


def json_safe(value: object) -> object:
    """NaN and infinity, which JSON can't express, as null."""
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def measured_on(results: Results) -> str:
    """The machine, the versions and the day, in one line below a table."""
    machine = results["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; Python"
        f" {machine['python']}, ONNX Runtime {machine['packages'].get('onnxruntime', '?')};"
        f" {results['started_at'][:10]}, load average before {machine['load_before']}."
    )
