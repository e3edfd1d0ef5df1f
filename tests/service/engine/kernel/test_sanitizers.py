"""The address and undefined-behaviour sanitizers find nothing in the compiled kernel."""

import os
import subprocess
import sys
from pathlib import Path

from service.engine.kernel.build import compile_kernel
from service.engine.kernel.library import load_library

COMPILER = "g++"


def test_the_sanitizers_find_nothing_in_models_of_many_shapes(tmp_path: Path) -> None:
    library = compile_kernel(tmp_path, [COMPILER], sanitizers=True)
    runtime = subprocess.run(
        [COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-m", "tests.service.engine.kernel.sanitized_run", str(library), "20"],
        # Python itself leaves memory behind at its end.
        env={**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"20 models of {', '.join(load_library().instruction_sets())}"
