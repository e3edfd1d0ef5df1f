"""``python -m tests.fuzz -atheris_runs=1000000``: the same invariants, led by coverage.

Takes libFuzzer's options. The first byte of an input chooses what the rest is given to.
"""

import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["service"]):
    from tests.fuzz.invariants import (
        body_is_read_or_refused,
        manifest_opens_or_is_refused,
        onnx_passes_or_is_refused,
    )
from tests.fuzz.samples import BODY, MANIFEST, small_model


def main() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as temporary:
        bundle, corpus = Path(temporary, "bundle"), Path(temporary, "corpus")
        bundle.mkdir()
        corpus.mkdir()
        samples = (json.dumps(BODY).encode(), json.dumps(MANIFEST).encode(), small_model())
        for number, sample in enumerate(samples):
            (corpus / str(number)).write_bytes(bytes([number]) + sample)

        def run(data: bytes) -> None:
            target = data[0] % 3 if data else 0
            if target == 0:
                body_is_read_or_refused(data[1:])
            elif target == 1:
                manifest_opens_or_is_refused(bundle, data[1:])
            else:
                onnx_passes_or_is_refused(data[1:])

        atheris.Setup([*sys.argv, str(corpus)], run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
