"""The ceiling of this machine: the bare backend over micro-batches of similar lengths, no server.

64 texts at a time are sorted and cut into micro-batches of at most 16 whose lengths lie within
20 %. Each process runs on its own, and all start together.
"""

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median

from load_tests.precision import BACKENDS, Precision
from service.engine.backends import Backend
from service.engine.backends.registry import BACKENDS as KINDS
from service.engine.bundle import Bundle
from service.engine.ragged_batch import RaggedBatch
from service.engine.scorer import cut_by_length
from service.engine.tokenizer import TextTokenizer, TokenIds

WINDOW_TEXTS = 64
START_SECONDS_LIMIT = 60.0


@dataclass(frozen=True, slots=True)
class Ceiling:
    texts_per_second: float
    padding_ratio: float  # padding executed, of all tokens executed


@dataclass(frozen=True, slots=True)
class BareCall:
    """One text alone in one thread, medians over the texts."""

    tokenize_ms: float
    inference_ms: float
    total_ms: float


def micro_batches(texts: Sequence[TokenIds]) -> list[RaggedBatch]:
    return [RaggedBatch.of([texts[index] for index in batch]) for batch in cut_by_length(texts)]


def _open(bundle: Path, precision: Precision) -> tuple[TextTokenizer, Backend]:
    opened = Bundle(bundle)
    backend = KINDS[BACKENDS[precision]].load(opened, "cpu", 1)
    return TextTokenizer(opened), backend


def _run_batches(
    bundle: Path, precision: Precision, texts: Sequence[str], seconds: float, start: Barrier
) -> tuple[int, int, int, float]:
    tokenizer, backend = _open(bundle, precision)
    windows = cycle(tokenizer.encode(list(texts)))
    done_texts = tokens = executed_tokens = 0
    for batch in micro_batches(list(islice(windows, WINDOW_TEXTS))):
        backend.logits(batch)
    start.wait(START_SECONDS_LIMIT)
    started_at = time.monotonic()
    while time.monotonic() - started_at < seconds:
        for batch in micro_batches(list(islice(windows, WINDOW_TEXTS))):
            backend.logits(batch)
            tokens += batch.tokens
            executed_tokens += backend.executed_tokens(batch)
        done_texts += WINDOW_TEXTS
    return done_texts, tokens, executed_tokens, time.monotonic() - started_at


def measure_ceiling(
    bundle: Path, precision: Precision, texts: Sequence[str], processes: int, seconds: float
) -> Ceiling:
    """Texts per second of all processes together, without tokenising."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(processes) as pool:
        start = manager.Barrier(processes)
        arguments = [(bundle, precision, texts, seconds, start)] * processes
        limit = seconds + START_SECONDS_LIMIT
        rows = pool.starmap_async(_run_batches, arguments, chunksize=1).get(limit)
    rate = sum(done / elapsed for done, _, _, elapsed in rows)
    tokens = sum(row[1] for row in rows)
    return Ceiling(rate, 1 - tokens / sum(row[2] for row in rows))


def measure_bare_call(bundle: Path, precision: Precision, texts: Sequence[str]) -> BareCall:
    """The cost of a lone request without any server."""
    tokenizer, backend = _open(bundle, precision)
    rows = []
    for text in (*texts[:20], *texts):  # the first ones warm up
        started_at = time.perf_counter()
        token_ids = tokenizer.encode([text])
        tokenized_at = time.perf_counter()
        backend.logits(RaggedBatch.of(token_ids))
        rows.append((tokenized_at - started_at, time.perf_counter() - tokenized_at))
    rows = rows[20:]
    return BareCall(
        tokenize_ms=median(tokenize for tokenize, _ in rows) * 1e3,
        inference_ms=median(inference for _, inference in rows) * 1e3,
        total_ms=median(tokenize + inference for tokenize, inference in rows) * 1e3,
    )
