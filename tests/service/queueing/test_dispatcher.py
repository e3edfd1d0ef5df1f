"""The dispatcher over real Unix sockets, with workers that the tests play themselves."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from service import wire
from service.cost_model import CostModel
from service.failure import ClientGone, DeadlinePassed, Internal
from service.metrics import Metrics
from service.prediction import Prediction, now
from service.queueing.admission import Admission
from service.queueing.dispatcher import Dispatcher
from tests.service.wire_worker import NOBODY, WireWorker

CREDIT = 10  # tokens
SECONDS_LIMIT = 30.0


def prediction(*lengths: int, seconds_left: float = 600.0) -> Prediction:
    """A client batch of texts of these lengths."""
    token_ids = [np.zeros(length, dtype=np.int32) for length in lengths]
    return Prediction(token_ids, 0, now() + seconds_left, 0.0)


class Bench:
    """A dispatcher, its metrics and the workers that it is connected to."""

    def __init__(self, directory: Path, workers: int, pid: int) -> None:
        self._paths = [directory / f"worker-{number}.sock" for number in range(workers)]
        self._pid = pid
        self._metrics = Metrics(["negative", "positive"], 1, {})
        cost = CostModel()
        admission = Admission(cost, 16, 1000, 100_000)
        self.dispatcher = Dispatcher(cost, admission, CREDIT, self._metrics.row(0))
        self.workers: list[WireWorker] = []

    async def start(self) -> None:
        self.workers = [await self._launch(path) for path in self._paths]
        self.dispatcher.start(self._paths)
        await self._all_ready()

    async def _launch(self, path: Path) -> WireWorker:
        worker = WireWorker(path, self._pid)
        await worker.listen()
        return worker

    async def _all_ready(self) -> None:
        while self.dispatcher.scheduler.workers_ready < len(self._paths):
            await asyncio.sleep(0)

    async def lose(self, number: int) -> None:
        """The worker dies."""
        await self.workers[number].die()
        while self.dispatcher.scheduler.workers_ready == len(self._paths):
            await asyncio.sleep(0)

    async def replace(self, number: int = 0) -> WireWorker:
        """The worker dies and another one takes its place."""
        await self.lose(number)
        self.workers[number] = await self._launch(self._paths[number])
        await self._all_ready()
        return self.workers[number]

    def submit(self, *lengths: int, seconds_left: float = 600.0) -> Prediction:
        submitted = prediction(*lengths, seconds_left=seconds_left)
        self.dispatcher.submit(submitted)
        return submitted

    def metric(self, name: str) -> float:
        return self._metrics.total(self._metrics.slots[name])

    async def stop(self) -> None:
        self.dispatcher.stop()
        for worker in self.workers:
            if worker.lives:
                await worker.die()


@asynccontextmanager
async def bench(directory: Path, workers: int, pid: int) -> AsyncIterator[Bench]:
    made = Bench(directory, workers, pid)
    async with asyncio.timeout(SECONDS_LIMIT):
        await made.start()
        try:
            yield made
        finally:
            await made.stop()


class Play(Protocol):
    def __call__(
        self, act: Callable[[Bench], Awaitable[None]], workers: int = 1, pid: int = NOBODY
    ) -> None: ...


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs what a test does with a bench."""

    def run(act: Callable[[Bench], Awaitable[None]], workers: int = 1, pid: int = NOBODY) -> None:
        async def with_bench() -> None:
            async with bench(tmp_path, workers, pid) as made:
                await act(made)

        asyncio.run(with_bench())

    return run


def test_an_answer_carries_the_logits_and_the_marks_of_its_text(play: Play) -> None:
    async def act(bench: Bench) -> None:
        (worker,) = bench.workers
        submitted = bench.submit(3, 5)
        await worker.has(2)
        worker.answer(*reversed(worker.received))
        await submitted.answered
        ids = [text.text_id for text in submitted.texts]
        assert submitted.logits == [[3.0, ids[0]], [5.0, ids[1]]]
        assert (submitted.started_at, submitted.finished_at) == (1.0, 1.5)
        assert submitted.batch_texts == 2
        assert bench.metric("tokens") == 8
        assert bench.dispatcher.scheduler.backlog == (0, 0)

    play(act)


def test_texts_are_sent_while_there_is_credit_and_the_rest_waits(play: Play) -> None:
    async def act(bench: Bench) -> None:
        (worker,) = bench.workers
        bench.submit(4, 4, 4, 4, 4)
        assert (
            bench.dispatcher.scheduler.waiting_texts == 2
        )  # 12 tokens are out: more than the credit of 10
        assert bench.metric("queue_depth") == 2
        assert bench.dispatcher.scheduler.backlog == (5, 20)
        await worker.has(3)
        worker.answer(worker.received[0])
        await worker.has(4)
        assert bench.dispatcher.scheduler.waiting_texts == 1

    play(act)


def test_the_worker_with_the_least_to_do_is_sent_the_next_text(play: Play) -> None:
    async def act(bench: Bench) -> None:
        first, second = bench.workers
        bench.submit(6)
        bench.submit(1, 1, 1)
        await first.has(1)
        await second.has(3)
        assert (first.lengths, second.lengths) == ([6], [1, 1, 1])

    play(act, workers=2)


def test_what_is_due_first_is_sent_first_whenever_it_came(play: Play) -> None:
    async def act(bench: Bench) -> None:
        (worker,) = bench.workers
        bench.submit(CREDIT)  # nothing more is sent until it is answered
        bench.submit(900)
        bench.submit(20, 30)
        await worker.has(1)
        for answered in range(3):
            worker.answer(worker.received[answered])
            await worker.has(answered + 2)
        assert worker.lengths == [CREDIT, 20, 30, 900]

    play(act)


def test_a_text_whose_deadline_has_passed_is_not_sent(play: Play) -> None:
    async def act(bench: Bench) -> None:
        (worker,) = bench.workers
        bench.submit(3, seconds_left=0.0)
        bench.submit(4)
        await worker.has(1)
        assert worker.lengths == [4]
        assert bench.dispatcher.scheduler.backlog == (1, 4)

    play(act)


def test_a_worker_that_gives_a_text_back_has_found_its_deadline_passed(play: Play) -> None:
    async def act(bench: Bench) -> None:
        (worker,) = bench.workers
        submitted = bench.submit(3)
        await worker.has(1)
        worker.say(worker.received[0], wire.NOT_RUN)
        with pytest.raises(DeadlinePassed):
            await submitted.answered

    play(act)


def test_a_text_that_fails_fails_its_request_by_its_index_and_takes_the_rest_back(
    play: Play,
) -> None:
    async def act(bench: Bench) -> None:
        (worker,) = bench.workers
        submitted, other = bench.submit(3, 3, 3, 3, 3), bench.submit(1)
        await worker.has(4)
        worker.say(worker.received[1], wire.FAILED)
        with pytest.raises(Internal, match=r"^inputs\[1\]: the model failed on this text$"):
            await submitted.answered
        await worker.has(4, cancelled=3)
        assert worker.cancelled == {worker.received[number].text_id for number in (0, 2, 3)}
        for number in (0, 2, 3):
            worker.say(worker.received[number], wire.NOT_RUN)
        await worker.has(5)
        assert worker.lengths[4] == 1  # the fifth of the batch never went out
        worker.answer(worker.received[4])
        await other.answered

    play(act)


def test_an_abandoned_request_is_asked_back_and_what_waits_of_it_is_never_sent(play: Play) -> None:
    async def act(bench: Bench) -> None:
        (worker,) = bench.workers
        submitted = bench.submit(CREDIT, CREDIT + 1)
        await worker.has(1)
        bench.dispatcher.abandon(submitted, ClientGone())
        with pytest.raises(ClientGone):
            await submitted.answered
        # It counts until the worker has given it back: that one might hang.
        assert bench.dispatcher.scheduler.backlog == (1, CREDIT)
        await worker.has(1, cancelled=1)
        bench.submit(7)
        worker.answer(worker.received[0])  # it was running already: its answer comes to nothing
        await worker.has(2)
        assert worker.lengths == [CREDIT, 7]

    play(act)


def test_what_a_dead_worker_left_is_sent_again_one_by_one(play: Play) -> None:
    async def act(bench: Bench) -> None:
        submitted = bench.submit(2, 3, 4)
        await bench.workers[0].has(3)
        worker = await bench.replace()
        newcomer = bench.submit(1)
        for number in range(3):
            await worker.has(number + 1)
            assert len(worker.received) == number + 1
            assert worker.received[number].alone
            worker.say(worker.received[number], wire.STARTED)
            worker.answer(worker.received[number])
        await submitted.answered
        await worker.has(4)
        assert not worker.received[3].alone
        worker.answer(worker.received[3])
        await newcomer.answered
        assert worker.lengths == [2, 3, 4, 1]

    play(act)


def test_other_workers_take_newcomers_while_one_carries_suspects(play: Play) -> None:
    async def act(bench: Bench) -> None:
        _, healthy = bench.workers
        bench.submit(6, 6)
        await bench.workers[0].has(1)
        await healthy.has(1)
        replaced = await bench.replace(0)
        await replaced.has(1)
        assert replaced.received[0].alone
        bench.submit(1, 1)
        await healthy.has(3)
        assert healthy.lengths == [6, 1, 1]
        assert not any(text.alone for text in healthy.received)
        assert replaced.lengths == [6]

    play(act, workers=2)


def test_the_only_worker_left_runs_dry_for_suspects_before_it_takes_newcomers(play: Play) -> None:
    async def act(bench: Bench) -> None:
        bench.submit(6)
        bench.submit(5)
        await bench.workers[0].has(1)
        await (left := bench.workers[1]).has(1)
        await bench.lose(0)
        newcomer = bench.submit(1)
        assert bench.dispatcher.scheduler.waiting_texts == 2
        for number in range(3):
            await left.has(number + 1)
            left.answer(left.received[number])
        await newcomer.answered
        assert [(text.tokens, text.alone) for text in left.received] == [
            (5, False),
            (6, True),
            (1, False),
        ]

    play(act, workers=2)


def test_only_a_text_that_ran_alone_at_a_second_death_is_at_fault(play: Play) -> None:
    async def act(bench: Bench) -> None:
        innocent, guilty = bench.submit(2), bench.submit(1, 3)
        await bench.workers[0].has(3)
        worker = await bench.replace()
        await worker.has(1)  # the first is sent, and the worker dies before it has started it

        worker = await bench.replace()
        await worker.has(1)
        worker.say(worker.received[0], wire.STARTED)
        worker.answer(worker.received[0])
        await worker.has(2)
        assert worker.lengths == [1, 3]
        worker.say(worker.received[1], wire.STARTED)
        worker = await bench.replace()
        with pytest.raises(Internal, match=r"^inputs\[1\]: two workers died on this text$"):
            await guilty.answered

        await worker.has(1)
        worker.answer(worker.received[0])
        await innocent.answered
        assert worker.lengths == [2]

    play(act)


def test_a_text_that_was_abandoned_is_not_sent_again_after_a_death(play: Play) -> None:
    async def act(bench: Bench) -> None:
        gone, stays = bench.submit(2), bench.submit(3)
        await bench.workers[0].has(2)
        bench.dispatcher.abandon(gone, ClientGone())
        with pytest.raises(ClientGone):
            await gone.answered
        worker = await bench.replace()
        await worker.has(1)
        assert worker.lengths == [3]
        worker.answer(worker.received[0])
        await stays.answered

    play(act)


def test_a_worker_that_makes_no_progress_is_killed(play: Play) -> None:
    with subprocess.Popen(["sleep", "600"]) as process:

        async def act(bench: Bench) -> None:
            bench.submit(1)
            while process.poll() is None:
                await asyncio.sleep(0.01)
            assert process.returncode == -signal.SIGKILL

        try:
            play(act, pid=process.pid)
        finally:
            process.kill()
