from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from service.queueing.text_queue import STRETCH, TextQueue, due_time


@dataclass(eq=False)
class Waiting:
    due_at: float
    tokens: int = 1
    deadline_at: float = 1e9
    waiting: bool = False


def drain(queue: TextQueue[Waiting], now: float = 0.0) -> list[Waiting]:
    texts = []
    while (text := queue.pop(now)) is not None:
        texts.append(text)
    return texts


def test_what_is_due_first_comes_out_first_and_equals_in_the_order_of_arrival() -> None:
    late, first, second = Waiting(9.0), Waiting(3.0), Waiting(3.0)
    queue: TextQueue[Waiting] = TextQueue()
    for text in (late, first, second):
        queue.push(text)
    assert drain(queue) == [first, second, late]


def test_a_dear_text_is_due_later_than_a_cheap_one_but_never_too_late_for_its_deadline() -> None:
    assert due_time(100.0, 0.001, 200.0) == 100.0 + STRETCH * 0.001
    assert due_time(100.0, 0.1, 200.0) == 100.0 + STRETCH * 0.1
    assert due_time(100.0, 0.1, 101.0) == 101.0 - 0.1


def test_cheap_texts_are_due_in_the_order_of_their_arrival() -> None:
    assert due_time(100.0, 0.0009, 200.0) < due_time(100.001, 0.0002, 200.0)


def test_a_long_text_does_not_starve_behind_a_stream_of_short_ones() -> None:
    queue: TextQueue[Waiting] = TextQueue()
    long = Waiting(due_time(0.0, 0.1, 1e9))
    queue.push(long)
    now, popped = 0.0, None
    while popped is not long:  # two newcomers for each text that is served
        for _ in range(2):
            queue.push(Waiting(due_time(now, 0.001, 1e9)))
        popped = queue.pop(now)
        now += 0.001
    # At twice the load that can be served, all that came before it was due goes first: no more.
    assert now <= 2 * STRETCH * 0.1


def test_a_text_whose_deadline_has_passed_never_comes_out() -> None:
    queue: TextQueue[Waiting] = TextQueue()
    queue.push(Waiting(1.0, deadline_at=5.0))
    queue.push(Waiting(2.0, deadline_at=5.1))
    assert [text.due_at for text in drain(queue, now=5.0)] == [2.0]
    assert (queue.texts, queue.tokens) == (0, 0)


def test_dropping_twice_or_what_never_waited_changes_nothing() -> None:
    queue: TextQueue[Waiting] = TextQueue()
    stays, goes = Waiting(1.0, tokens=3), Waiting(0.0, tokens=5)
    queue.push(stays)
    queue.push(goes)
    for text in (goes, goes, Waiting(0.0)):
        queue.drop(text)
    assert (queue.texts, queue.tokens) == (1, 3)
    assert drain(queue) == [stays]


def test_dropped_texts_do_not_pile_up_while_nothing_is_taken_out() -> None:
    queue: TextQueue[Waiting] = TextQueue()
    for _ in range(10_000):
        text = Waiting(1.0)
        queue.push(text)
        queue.drop(text)
    assert len(queue._heap) < 200


@given(
    st.lists(
        st.tuples(st.sampled_from(["push", "pop", "drop"]), st.floats(0, 10), st.integers(1, 9))
    )
)
def test_counts_are_those_of_the_texts_that_wait(
    steps: list[tuple[str, float, int]],
) -> None:
    queue: TextQueue[Waiting] = TextQueue()
    inside: list[Waiting] = []
    for step, due_at, tokens in steps:
        if step == "push":
            inside.append(Waiting(due_at, tokens))
            queue.push(inside[-1])
        elif step == "drop" and inside:
            queue.drop(inside.pop(tokens % len(inside)))
        elif step == "pop":
            text = queue.pop(0.0)
            assert text is min(inside, key=lambda text: text.due_at, default=None)
            inside = [other for other in inside if other is not text]
        assert queue.texts == len(inside)
        assert queue.tokens == sum(text.tokens for text in inside)
