"""Bundles changed on purpose, with a manifest that vouches for the change."""

import hashlib
import json

from service.engine.bundle import MANIFEST, Bundle


def replace_file(bundle: Bundle, name: str, content: bytes) -> Bundle:
    """The bundle with other contents of the file ``name``."""
    (bundle.directory / name).write_bytes(content)
    path = bundle.directory / MANIFEST
    manifest = json.loads(path.read_text())
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    manifest["files"][name] = entry
    path.write_text(json.dumps(manifest))
    return Bundle(bundle.directory)
