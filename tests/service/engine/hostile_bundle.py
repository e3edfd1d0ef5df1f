"""Bundles made to do harm, and what opening one comes to in a process of its own."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.settings import SHIPPED_BUNDLE

GOOD_BUNDLE = Path(os.environ.get("SENTIMENT_BUNDLE", SHIPPED_BUNDLE))


def copy_of_good_bundle(directory: Path) -> Path:
    """The good bundle with real files, free to be spoilt."""
    return Path(shutil.copytree(GOOD_BUNDLE, directory / "bundle"))


def change_manifest(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    change(manifest)
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def seal(bundle: Path, name: str, content: bytes) -> None:
    """Put a file into the bundle and have the manifest vouch for it, as its maker could."""
    (bundle / name).write_bytes(content)
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    change_manifest(bundle, lambda manifest: manifest["files"].update({name: entry}))


def change_tokenizer(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tokenizer = json.loads((bundle / "tokenizer.json").read_text())
    change(tokenizer)
    seal(
        bundle,
        "tokenizer.json",
        json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")).encode(),
    )


@dataclass(frozen=True)
class Opening:
    """How a process fared that opened a bundle to serve it."""

    sentence: str  # why it refused; empty when it would serve
    peak_bytes: int


def opening(bundle: Path, backend: str = "auto", trusted: bool = False) -> Opening:
    """Open it in a new process as the service does. Nothing but a sentence may come of it."""
    command = [sys.executable, "-m", __name__, str(bundle), backend, str(int(trusted))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return Opening(**json.loads(done.stdout))


def _open(directory: Path, backend: Any, trusted: bool) -> str:
    from service.engine.backends import BackendError
    from service.engine.bundle import Bundle, BundleError

    try:
        bundle = Bundle(directory)
        bundle.hold()
        # Imported as late as possible: most bundles are refused before the costly ones.
        from service.engine.golden import prove_tokenizer, read_golden
        from service.engine.tokenizer import TextTokenizer

        golden = read_golden(bundle)
        prove_tokenizer(TextTokenizer(bundle), golden)
        from service.engine.backends.selection import select_backend

        select_backend(
            backend, bundle, golden, "cpu", 1, trusted, min(4096, bundle.manifest.max_tokens)
        )
    except (BundleError, BackendError) as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sentence = _open(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "1")
    # Unlike getrusage(2), this leaves out what the process was before it became Python anew.
    status = Path("/proc/self/status").read_text()
    peak_bytes = int(status.partition("VmHWM:")[2].split()[0]) << 10
    print(json.dumps({"sentence": sentence, "peak_bytes": peak_bytes}))
