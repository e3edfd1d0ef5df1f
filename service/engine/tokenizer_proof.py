"""No ``tokenizer.json`` is loaded before another process has tried it (``tokenizer_probe``)."""

import functools
import os
import subprocess
import sys
from pathlib import Path

from service.engine.tokenizer_rules import TokenizerRefused

# For a machine so busy that it gives a process a tenth of a core.
WAIT_SECONDS_LIMIT = 200


@functools.lru_cache(maxsize=8)
def prove_tokenizer_file(content: bytes) -> tuple[str, ...]:
    """The Unicode normal forms that a ``tokenizer.json`` applies, in their order.

    Raises:
        TokenizerRefused: it is not safe to be loaded and used on any text.
    """
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "TOKENIZERS_PARALLELISM": "false",
    }
    command = [sys.executable, "-m", "service.engine.tokenizer_probe"]
    try:
        done = subprocess.run(
            command,
            input=content,
            capture_output=True,
            env=environment,
            timeout=WAIT_SECONDS_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TokenizerRefused("to judge it takes too long") from None
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode == 0:
        return tuple(said.split())
    raise TokenizerRefused(
        said or "to load and try it takes more memory or CPU time than any tokenizer should"
    )
