"""``python -m load_tests …`` as a process."""

import os
import secrets
import subprocess
import sys

SECONDS_LIMIT = 200.0
# A service with one worker starts sooner than one with a worker per core. Every process inherits
# the mark, by which what these tests started can be told from what others run on the machine.
MARK = ("LOAD_TESTS_RUN", secrets.token_hex(8))
ENVIRONMENT = {**os.environ, "SENTIMENT_WORKERS": "1", MARK[0]: MARK[1]}


def load_tests(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "load_tests", *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS_LIMIT,
        env=ENVIRONMENT,
    )
