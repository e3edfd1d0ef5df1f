"""``python -m load_tests …`` as a process."""

import subprocess
import sys

SECONDS_LIMIT = 200.0


def load_tests(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "load_tests", *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS_LIMIT,
    )
