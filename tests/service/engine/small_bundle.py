"""Bundles made by hand, small enough to be wrong in every way that a bundle can be."""

import hashlib
import json
from pathlib import Path
from typing import Any

from service.engine.bundle import Bundle

TOKENIZER: dict[str, Any] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": {"type": "Lowercase"},
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {
        "type": "WordLevel",
        "vocab": {"[UNK]": 0, "good": 1, "bad": 2, "film": 3},
        "unk_token": "[UNK]",
    },
}
GOLDEN: list[dict[str, Any]] = [
    {"text": "Good film", "token_ids": [1, 3], "logits": [-1.0, 1.0]},
    {"text": "bad", "token_ids": [2], "logits": [2.0, -2.0]},
]


def write_bundle(
    directory: Path, contents: dict[str, bytes] | None = None, **manifest: Any
) -> Bundle:
    """Write a bundle that is sound unless ``contents`` or ``manifest`` make it otherwise."""
    everything = {
        "tokenizer.json": json.dumps(TOKENIZER).encode(),
        "golden.json": json.dumps(GOLDEN).encode(),
        **(contents or {}),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in everything.items():
        (directory / name).write_bytes(content)
    fields = {
        "format_version": 1,
        "name": "small",
        "version": "1",
        "labels": ["negative", "positive"],
        "cell": "lstm",
        "sizes": {"vocabulary": 4, "embedding": 2, "hidden": 2, "layers": 2, "directions": 2},
        "max_tokens": 64,
        "backends": ["onnx"],
        "training": {},
        "metrics": {},
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for name, content in everything.items()
        },
        **manifest,
    }
    (directory / "manifest.json").write_text(json.dumps(fields))
    return Bundle(directory)
