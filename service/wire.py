"""What goes over the Unix socket between an API process and a worker: fixed headers, raw arrays.

Little-endian, and times are ``time.monotonic()`` seconds, which all processes of a machine share.
The worker speaks first, with one JSON line that says who it is.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from service.engine.logits import Logits
from service.engine.tokenizer import TokenIds

TEXT, CANCEL = 1, 2
# Every text comes back once, as ANSWERED, NOT_RUN (cancelled, or too late) or FAILED. STARTED goes
# ahead of a text that runs alone: should the worker die now, that text is at fault.
ANSWERED, NOT_RUN, FAILED, STARTED = 0, 1, 2, 3

# kind, alone, tokens, text id, due at, deadline at
_REQUEST = struct.Struct("<B?xxIQdd")
# bytes of the frame, texts, labels, texts of the micro-batch, counts, started at, finished at,
# tokens, executed tokens, longest
_ANSWER = struct.Struct("<IHHI?xxxddIII")
# text id, received at, status
_ENTRY = struct.Struct("<QdB7x")


class Hello(BaseModel):
    """The worker's first line: who it is, what it runs and why, and what warming up cost."""

    model_config = ConfigDict(frozen=True)

    pid: int
    worker_id: int
    device: str
    backend: str
    reason: str
    threads: int
    labels: int
    warm_up: list[tuple[int, int, int, float]]  # texts, executed tokens, longest, seconds


@dataclass(slots=True, eq=False)
class SentText:
    """A text as a worker holds it."""

    text_id: int
    token_ids: TokenIds  # (time,)
    tokens: int
    due_at: float
    deadline_at: float
    alone: bool
    received_at: float
    connection: int


@dataclass(slots=True)
class BatchFacts:
    """One forward pass: what it held and what it took. ``counts`` on one frame per pass only."""

    texts: int
    tokens: int
    executed_tokens: int
    longest: int
    started_at: float
    finished_at: float
    counts: bool


def pack_text(
    text_id: int, token_ids: TokenIds, due_at: float, deadline_at: float, alone: bool
) -> bytes:
    header = _REQUEST.pack(TEXT, alone, len(token_ids), text_id, due_at, deadline_at)
    return header + token_ids.tobytes()


def pack_cancel(text_id: int) -> bytes:
    return _REQUEST.pack(CANCEL, False, 0, text_id, 0.0, 0.0)


def unpack_requests(
    buffer: bytearray, connection: int, now: float
) -> tuple[list[SentText], set[int]]:
    """The texts and cancelled text ids that stand complete in ``buffer``, which they leave."""
    texts, cancelled, offset = [], set(), 0
    while len(buffer) - offset >= _REQUEST.size:
        kind, alone, tokens, text_id, due_at, deadline_at = _REQUEST.unpack_from(buffer, offset)
        end = offset + _REQUEST.size + 4 * tokens
        if end > len(buffer):
            break
        if kind == CANCEL:
            cancelled.add(text_id)
        else:
            ids = np.frombuffer(bytes(buffer[offset + _REQUEST.size : end]), dtype=np.int32)
            texts.append(
                SentText(text_id, ids, tokens, due_at, deadline_at, alone, now, connection)
            )
        offset = end
    del buffer[:offset]
    return texts, cancelled


def pack_answers(
    texts: list[SentText], statuses: list[int], logits: Logits, facts: BatchFacts
) -> bytes:
    """One frame. ``logits`` is (texts, labels); rows of texts without an answer are ignored."""
    size = _ANSWER.size + len(texts) * _ENTRY.size + logits.nbytes
    header = _ANSWER.pack(
        size,
        len(texts),
        logits.shape[1],
        facts.texts,
        facts.counts,
        facts.started_at,
        facts.finished_at,
        facts.tokens,
        facts.executed_tokens,
        facts.longest,
    )
    entries = [
        _ENTRY.pack(text.text_id, text.received_at, status)
        for text, status in zip(texts, statuses, strict=True)
    ]
    return b"".join([header, *entries, logits.tobytes()])


@dataclass(slots=True)
class AnswerFrame:
    facts: BatchFacts
    entries: list[tuple[int, float, int]]  # text id, received at, status
    logits: list[list[float]]  # texts × labels


def unpack_answers(buffer: bytearray) -> Iterator[AnswerFrame]:
    """The frames that stand complete in ``buffer``, which they leave."""
    while len(buffer) >= _ANSWER.size:
        (
            size,
            texts,
            labels,
            batch_texts,
            counts,
            started_at,
            finished_at,
            tokens,
            executed,
            longest,
        ) = _ANSWER.unpack_from(buffer)
        if len(buffer) < size:
            return
        entries_end = _ANSWER.size + texts * _ENTRY.size
        entries = list(_ENTRY.iter_unpack(buffer[_ANSWER.size : entries_end]))
        # For a few labels a third of what an array would cost.
        scores = struct.unpack_from(f"<{texts * labels}f", buffer, entries_end)
        logits = [list(scores[at : at + labels]) for at in range(0, len(scores), labels)]
        facts = BatchFacts(batch_texts, tokens, executed, longest, started_at, finished_at, counts)
        del buffer[:size]
        yield AnswerFrame(facts, entries, logits)
