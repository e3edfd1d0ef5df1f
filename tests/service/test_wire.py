import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service import wire
from service.wire import AnswerFrame, BatchFacts, SentText

times = st.floats(0, 1e9)
token_lists = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=50)
text_ids = st.integers(0, 2**64 - 1)


def sent(text_id: int, received_at: float) -> SentText:
    return SentText(text_id, np.zeros(1, np.int32), 1, 0.0, 0.0, False, received_at, 0)


def chunks(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@given(
    st.lists(st.tuples(text_ids, token_lists, times, times, st.booleans())),
    st.lists(text_ids),
    st.integers(1, 200),
)
def test_texts_and_cancellations_survive_any_splitting_of_the_stream(
    texts: list[tuple[int, list[int], float, float, bool]], cancelled: list[int], size: int
) -> None:
    stream = b"".join(
        wire.pack_text(text_id, np.array(ids, np.int32), due_at, deadline_at, alone)
        for text_id, ids, due_at, deadline_at, alone in texts
    ) + b"".join(map(wire.pack_cancel, cancelled))
    buffer, got, got_cancelled = bytearray(), [], set()
    for chunk in chunks(stream, size):
        buffer += chunk
        complete, gone = wire.unpack_requests(buffer, connection=7, now=5.0)
        got += complete
        got_cancelled |= gone
    assert not buffer
    assert got_cancelled == set(cancelled)
    assert [
        (text.text_id, text.token_ids.tolist(), text.due_at, text.deadline_at, text.alone)
        for text in got
    ] == texts
    assert all((text.connection, text.received_at) == (7, 5.0) for text in got)
    assert all(text.tokens == len(text.token_ids) for text in got)


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(text_ids, times, st.integers(0, 3)), max_size=5),
            st.integers(1, 4),
            st.booleans(),
        )
    ),
    st.integers(1, 200),
)
def test_answers_survive_any_splitting_of_the_stream(
    frames: list[tuple[list[tuple[int, float, int]], int, bool]], size: int
) -> None:
    stream, expected = b"", []
    for entries, labels, counts in frames:
        logits = np.arange(len(entries) * labels, dtype=np.float32).reshape(-1, labels)
        facts = BatchFacts(len(entries), 11, 12, 6, 1.5, 2.5, counts)
        texts = [sent(text_id, received_at) for text_id, received_at, _ in entries]
        stream += wire.pack_answers(texts, [status for *_, status in entries], logits, facts)
        expected.append(AnswerFrame(facts, entries, logits.tolist()))
    buffer = bytearray()
    got: list[AnswerFrame] = []
    for chunk in chunks(stream, size):
        buffer += chunk
        got += wire.unpack_answers(buffer)
    assert not buffer
    assert got == expected
