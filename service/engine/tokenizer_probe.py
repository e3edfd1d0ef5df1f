"""A process of its own in which a tokenizer is judged, made and tried before the service makes it.

It may take so much memory and CPU time and no more. It first judges the rules
(``tokenizer_rules``), which proves the rules linear; then it tries the tokenizer on runs and
alternations of every piece of text that a rule looks for, because what a library makes of linear
rules may be another matter. CPU time is judged by its growth with the text, never by the clock, and
again on longer texts before anything is refused, so that no busy machine refuses a good tokenizer.
"""

import resource
import sys
import time
from itertools import pairwise
from statistics import median
from typing import NoReturn

from tokenizers import Tokenizer

from service.engine.tokenizer_rules import TokenizerRefused, TokenizerRules

# A house tokenizer takes 60 MB and 0.2 s.
MEMORY_BYTES_LIMIT = 512 << 20
CPU_SECONDS_LIMIT = 20

UNITS = [" ", "\n", "a", "1", "!", "'", "é", "\u0301", "漢", "🙂", "ab ", "a1"]
UNITS_LIMIT = 64
CHARACTERS = 100
LONGER = 8  # times: linear work takes about so much longer, quadratic work 64 times
GROWTH_LIMIT = LONGER * 2.5
# Four times what the dearest text takes: above it the growth is measured with more care.
SECONDS_PER_CHARACTER = 8e-6
TOKENS_PER_CHARACTER_LIMIT = 64


def _cpu_seconds(tokenizer: Tokenizer, text: str) -> float:
    # Where a process has a limit, its own clock moves by the ticks of the kernel only.
    began = time.thread_time()
    tokens = len(tokenizer.encode_batch_fast([text])[0])
    seconds = time.thread_time() - began
    if tokens > TOKENS_PER_CHARACTER_LIMIT * len(text):
        _refuse(f"a text of {text[:9]!r} and so on has {tokens / len(text):.0f} tokens a character")
    return seconds


def _try(tokenizer: Tokenizer, unit: str, end: str) -> None:
    """Time a text and one that is eight times as long; if that looks bad, again and longer."""

    def seconds(characters: int, rounds: int) -> float:
        text = unit * (characters // len(unit) + 1) + end
        return median(_cpu_seconds(tokenizer, text) for _ in range(rounds))

    long = LONGER * CHARACTERS
    taken = seconds(long, 1)
    if taken < SECONDS_PER_CHARACTER * long and taken < GROWTH_LIMIT * seconds(CHARACTERS, 1):
        return
    for characters in (CHARACTERS, 4 * CHARACTERS):
        growth = seconds(LONGER * characters, 3) / max(1e-6, seconds(characters, 3))
        if growth <= GROWTH_LIMIT:
            return
    _refuse(
        f"a text of {unit[:9]!r} and so on takes {growth:.0f} times as long at 8 times the size"
    )


def _refuse(why: str) -> NoReturn:
    raise TokenizerRefused(why)


def _probe(content: bytes) -> str:
    rules = TokenizerRules(content)
    tokenizer = Tokenizer.from_buffer(content)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    units = list(dict.fromkeys([*UNITS, *filter(None, rules.units)]))[:UNITS_LIMIT]
    _cpu_seconds(tokenizer, "".join(units))  # the first text of all is dearer
    for unit, other in pairwise([*units, units[0]]):
        _try(tokenizer, unit, other)
        _try(tokenizer, unit + other, "")
    return " ".join(rules.forms)


def _say(text: str) -> None:
    printable = "".join(c if c.isprintable() else "?" for c in text[:500])
    sys.stdout.buffer.write(printable.encode("utf-8", "replace"))


def _main() -> int:
    """``tokenizer.json`` comes in, its normal forms go out; or, with exit code 1, why not."""
    content = sys.stdin.buffer.read()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES_LIMIT, MEMORY_BYTES_LIMIT))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_LIMIT, CPU_SECONDS_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        _say(_probe(content))
    except MemoryError:
        return 1
    except BaseException as error:  # a panic on the Rust side is no Exception
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
