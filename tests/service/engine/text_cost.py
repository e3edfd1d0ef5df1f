"""What one text costs a process that does nothing else: CPU time and the peak of its memory."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from service.settings import SHIPPED_BUNDLE


@dataclass(frozen=True)
class TextCost:
    cpu_seconds: float
    more_bytes: int  # than before the text came
    outcome: str


def text_cost(unit: str, text_bytes: int, texts: int, truncate: str | None) -> TextCost:
    """Tokenise ``texts`` texts that together have so many bytes, each a run of ``unit``."""
    arguments = [unit.encode().hex(), str(text_bytes), str(texts), truncate or ""]
    command = [sys.executable, "-m", __name__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return TextCost(**json.loads(done.stdout))


def _bytes(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) << 10


def _main(unit_bytes: str, text_bytes: str, texts: str, truncate: str) -> None:
    from service.engine.bundle import Bundle
    from service.engine.tokenizer import TextsTooLong, TextTokenizer, TextTooLong

    tokenizer = TextTokenizer(Bundle(SHIPPED_BUNDLE))
    tokenizer.encode(["warm"])
    unit = bytes.fromhex(unit_bytes)
    text = (unit * (int(text_bytes) // int(texts) // len(unit))).decode()
    before, began = _bytes("VmRSS"), time.process_time()
    try:
        encoded = tokenizer.encode_within([text] * int(texts), 4096, 262_144, truncate or None)  # type: ignore[arg-type]
        outcome = f"{sum(map(len, encoded.token_ids))} tokens, {encoded.truncated} cut"
    except (TextTooLong, TextsTooLong) as error:
        outcome = str(error)
    seconds = time.process_time() - began
    more = _bytes("VmHWM") - before
    print(json.dumps({"cpu_seconds": seconds, "more_bytes": more, "outcome": outcome}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
