from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from service.cost_model import CostModel
from service.worker.micro_batch_cutter import MicroBatchCutter


@dataclass(eq=False)
class Sent:
    tokens: int
    due_at: float = 0.0
    deadline_at: float = 1e9
    alone: bool = False


def cutter(
    texts: list[Sent], max_texts: int = 4, max_tokens: int = 1000, max_seconds: float = 1e9
) -> MicroBatchCutter[Sent]:
    made: MicroBatchCutter[Sent] = MicroBatchCutter(CostModel(), max_texts, max_tokens, max_seconds)
    for text in texts:
        made.add(text)
    return made


def test_nothing_waits_nothing_is_cut() -> None:
    assert cutter([]).cut() == []


def test_the_most_overdue_text_goes_first_and_takes_those_of_its_length_along() -> None:
    long, short, other_long = Sent(100, due_at=1.0), Sent(5, due_at=2.0), Sent(104, due_at=3.0)
    made = cutter([short, other_long, long])
    assert made.cut() == [long, other_long]
    assert made.cut() == [short]


def test_no_more_texts_than_the_limit_and_the_overdue_ones_among_them() -> None:
    texts = [Sent(10, due_at=float(number)) for number in range(6)]
    made = cutter(list(reversed(texts)), max_texts=4)
    assert made.cut() == texts[:4]
    assert made.cut() == texts[4:]


def test_several_texts_stay_within_the_token_budget_but_one_may_exceed_it() -> None:
    made = cutter([Sent(400) for _ in range(3)], max_tokens=1000)
    assert [len(made.cut()) for _ in range(2)] == [2, 1]
    assert len(cutter([Sent(5000)], max_tokens=1000).cut()) == 1


def test_several_texts_stay_within_the_time_that_a_newcomer_may_have_to_wait() -> None:
    cost = CostModel()
    made = cutter([Sent(100) for _ in range(4)], max_seconds=cost.predict(2, 200, 100) * 1.001)
    assert [len(made.cut()) for _ in range(2)] == [2, 2]


def test_a_text_that_must_run_alone_has_no_company() -> None:
    suspect = Sent(10, due_at=1.0, alone=True)
    neighbours = [Sent(10, due_at=0.0), Sent(10, due_at=2.0)]
    made = cutter([*neighbours, suspect])
    assert made.cut() == neighbours
    assert made.cut() == [suspect]


def test_a_text_whose_deadline_has_passed_is_taken_out_before_it_can_start() -> None:
    late, timely = Sent(10, deadline_at=5.0), Sent(10, deadline_at=5.1)
    made = cutter([late, timely])
    assert made.expire(5.0) == [late]
    assert made.cut() == [timely]
    assert len(made) == 0


@given(
    st.lists(st.builds(Sent, st.integers(1, 600), st.floats(0, 100), alone=st.booleans())),
    st.integers(1, 9),
)
def test_every_text_is_cut_exactly_once_and_padding_stays_small(
    texts: list[Sent], max_texts: int
) -> None:
    made, cut = cutter(texts, max_texts=max_texts), []
    while len(made):
        seed = min((text for text in texts if text not in cut), key=lambda text: text.due_at)
        batch = made.cut()
        assert seed in batch or min(text.due_at for text in batch) == seed.due_at
        assert len(batch) <= max_texts
        longest = max(text.tokens for text in batch)
        shortest = min(text.tokens for text in batch)
        assert longest <= 1.1 * (1.1 * (shortest + 2)) + 2
        cut += batch
    assert sorted(map(id, cut)) == sorted(map(id, texts))
