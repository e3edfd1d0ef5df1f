from dataclasses import dataclass

import pytest

from service.queueing.scheduler import HANG_FACTOR, HANG_SECONDS, Lane, Scheduler

NOW = 1000.0


@dataclass(eq=False)
class Text:
    text_id: int
    tokens: int
    due_at: float = NOW
    deadline_at: float = NOW + 600
    waiting: bool = False
    started_alone: bool = False
    wanted: bool = True


def scheduler(workers: int = 1, credit_tokens: int = 10) -> Scheduler[Text]:
    made: Scheduler[Text] = Scheduler(credit_tokens, workers)
    for lane in made.lanes:
        made.open(lane, NOW)
    return made


def add(to: Scheduler[Text], *texts: Text) -> None:
    for text in texts:
        to.add(text)


def hand_out_all(of: Scheduler[Text]) -> list[tuple[int, int, bool]]:
    """Worker, text id and whether alone, until nothing more may be sent."""
    sent = []
    while (handed_out := of.next(NOW)) is not None:
        lane, text, alone = handed_out
        sent.append((lane.number, text.text_id, alone))
    return sent


def test_what_is_due_first_is_handed_out_first() -> None:
    made = scheduler()
    add(made, Text(1, 1, due_at=NOW + 3), Text(2, 1, due_at=NOW + 1), Text(3, 1, due_at=NOW + 2))
    assert [text_id for _, text_id, _ in hand_out_all(made)] == [2, 3, 1]


def test_nothing_more_is_handed_out_than_the_credit_allows_until_texts_come_back() -> None:
    made = scheduler(credit_tokens=10)
    add(made, *(Text(number, 4) for number in range(5)))
    assert len(hand_out_all(made)) == 3
    assert made.waiting_texts == 2
    assert made.backlog == (5, 20)
    made.take(made.lanes[0], 0)
    assert hand_out_all(made) == [(0, 3, False)]


def test_the_worker_that_holds_the_fewest_tokens_is_next() -> None:
    made = scheduler(workers=2)
    add(
        made,
        *(Text(number, tokens, due_at=NOW + number) for number, tokens in enumerate((5, 2, 2, 2))),
    )
    assert [worker for worker, _, _ in hand_out_all(made)] == [0, 1, 1, 1]


def test_without_a_worker_everything_waits() -> None:
    made: Scheduler[Text] = Scheduler(10, 1)
    add(made, Text(1, 1))
    assert hand_out_all(made) == []
    made.open(made.lanes[0], NOW)
    assert hand_out_all(made) == [(0, 1, False)]


def test_what_a_dead_worker_left_runs_again_one_by_one_while_others_take_newcomers() -> None:
    made = scheduler(workers=2)
    add(made, Text(1, 4), Text(2, 4))
    hand_out_all(made)
    add(made, Text(3, 5))
    hand_out_all(made)
    dead = next(lane for lane in made.lanes if 3 in lane.texts)
    assert made.close(dead) == []
    other = made.lanes[1 - dead.number]
    add(made, Text(9, 1))
    assert hand_out_all(made) == []  # the only worker left runs dry first
    for text_id in list(other.texts):
        made.take(other, text_id)
    suspects = hand_out_all(made)
    assert [alone for _, _, alone in suspects] == [True]
    made.open(dead, NOW)
    assert hand_out_all(made) == [(dead.number, 9, False)]
    made.take(other, suspects[0][1])
    assert [(worker, alone) for worker, _, alone in hand_out_all(made)] == [(other.number, True)]


def test_a_text_that_was_alone_when_a_second_worker_died_is_at_fault() -> None:
    made = scheduler()
    lane = made.lanes[0]
    culprit, neighbour = Text(1, 1), Text(2, 1)
    add(made, culprit, neighbour)
    hand_out_all(made)
    assert made.close(lane) == []
    made.open(lane, NOW)
    assert hand_out_all(made) == [(0, 1, True)]
    culprit.started_alone = True
    assert made.close(lane) == [culprit]
    made.open(lane, NOW)
    assert hand_out_all(made) == [(0, 2, True)]


def test_a_text_that_nobody_wants_is_neither_suspected_nor_run_again() -> None:
    made = scheduler()
    text = Text(1, 1)
    add(made, text)
    hand_out_all(made)
    made.close(made.lanes[0])
    text.wanted = False
    made.open(made.lanes[0], NOW)
    assert hand_out_all(made) == []
    assert made.backlog == (0, 0)


def test_a_dropped_text_is_forgotten_or_said_to_be_with_a_worker() -> None:
    made = scheduler(credit_tokens=1)
    sent, queued = Text(1, 1), Text(2, 1, due_at=NOW + 1)
    add(made, sent, queued)
    hand_out_all(made)
    assert made.drop(queued) is None
    assert made.drop(sent) is made.lanes[0]
    assert made.backlog == (1, 1)  # it may hang there, and is not forgotten


@pytest.mark.parametrize(
    ("predicted_seconds", "patience_seconds"),
    [(0.01, HANG_SECONDS), (1.0, HANG_FACTOR)],
    ids=["short work", "long work"],
)
def test_a_worker_hangs_after_five_seconds_or_ten_times_what_its_work_should_take(
    predicted_seconds: float, patience_seconds: float
) -> None:
    made = scheduler(workers=2)
    add(made, Text(1, 6))
    hand_out_all(made)

    def predict(texts: int, tokens: int, longest: int) -> float:
        assert (texts, tokens, longest) == (1, 6, 6)
        return predicted_seconds

    def hanging(seconds: float) -> list[Lane[Text]]:
        return made.stalled(NOW + seconds, predict)

    assert hanging(patience_seconds - 0.1) == []
    assert hanging(patience_seconds + 0.1) == [made.lanes[0]]
    made.excuse(slept_seconds=1.0)
    assert hanging(patience_seconds + 0.9) == []
    assert hanging(patience_seconds + 1.1) == [made.lanes[0]]
