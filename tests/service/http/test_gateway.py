"""The front door with a real tokenizer and a real Unix socket, and a worker that the test plays:
what is left of a request when it has ended."""

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tokenizers.pre_tokenizers import FixedLength

from service import wire
from service.cores import Allotment
from service.draining import Draining
from service.engine.bundle import Bundle
from service.engine.tokenizer import TextTokenizer
from service.failure import Failure
from service.http.access import Access
from service.http.exchange import Exchange
from service.http.gateway import Gateway
from service.http.predict import PredictEndpoint
from service.http.reply import ReplyWriter
from service.metrics import Metrics
from service.prediction import Prediction, Text
from service.queueing.predictor import Predictor
from service.settings import SHIPPED_BUNDLE, read_settings
from service.worker_health import WorkerHealth
from tests.service.wire_worker import WireWorker

SECONDS_LIMIT = 30.0
TWO_TEXTS = b'{"inputs": ["A lovely film.", "A waste of an evening."]}'
LABELS = ["negative", "positive"]
OF_A_REQUEST = (Exchange, Prediction, Text, Failure)


def of_requests() -> list[object]:
    """What lives of requests, those of other tests included."""
    return [found for found in gc.get_objects() if issubclass(type(found), OF_A_REQUEST)]


class Asked:
    """A request on its way, and the status that it was answered with."""

    def __init__(self, gateway: Gateway, body: bytes) -> None:
        self._body = body
        self._scope: dict[str, Any] = {"method": "POST", "path": "/predict", "headers": []}
        self.exchange = self._scope["exchange"] = Exchange(self._scope)
        self._end = asyncio.ensure_future(gateway(self._scope, self._receive, self._send))
        self.status = 0
        self.body = b""

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._body}

    async def _send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")

    def leave(self) -> None:
        self.exchange.leave()

    async def ended(self) -> int:
        await self._end
        return self.status


Script = Callable[[Gateway, WireWorker], Awaitable[None]]


async def is_answered(gateway: Gateway, worker: WireWorker) -> None:
    asked = Asked(gateway, TWO_TEXTS)
    await worker.has(2)
    worker.answer(*worker.received)
    assert await asked.ended() == 200


async def fails(gateway: Gateway, worker: WireWorker) -> None:
    asked = Asked(gateway, TWO_TEXTS)
    await worker.has(2)
    worker.say(worker.received[0], wire.FAILED)
    assert await asked.ended() == 500
    worker.say(worker.received[1], wire.NOT_RUN)


async def is_left(gateway: Gateway, worker: WireWorker) -> None:
    asked = Asked(gateway, b'{"inputs": "A lovely film."}')
    await worker.has(1)
    asked.leave()
    assert await asked.ended() == 0
    worker.say(worker.received[0], wire.NOT_RUN)


async def is_late(gateway: Gateway, worker: WireWorker) -> None:
    asked = Asked(gateway, b'{"inputs": "A lovely film.", "timeout_ms": 50}')
    await worker.has(1)
    assert await asked.ended() == 504
    worker.say(worker.received[0], wire.NOT_RUN)


async def is_invalid(gateway: Gateway, worker: WireWorker) -> None:
    assert await Asked(gateway, b'{"inputs": 7}').ended() == 422


async def is_refused(gateway: Gateway, worker: WireWorker) -> None:
    waiting = Asked(gateway, TWO_TEXTS)
    await worker.has(2)
    assert await Asked(gateway, b'{"inputs": "Another one."}').ended() == 429
    worker.answer(*worker.received)
    assert await waiting.ended() == 200


async def play(script: Script, directory: Path) -> None:
    """The script, with a front door that has nothing more to do when it has ended."""
    worker = WireWorker(directory / "worker-0.sock")
    await worker.listen()
    settings = read_settings(["--max-texts=2", "--max-queue-texts=2"])
    predictor = Predictor(
        settings,
        TextTokenizer(Bundle(SHIPPED_BUNDLE)),
        Allotment(api_servers=1, workers=1, threads=1),
        Draining(),
        WorkerHealth(1),
    )
    metrics = Metrics(LABELS, 1, {})
    predictor.start([directory / "worker-0.sock"], metrics.row(0))
    endpoint = PredictEndpoint(settings, predictor, ReplyWriter(LABELS, "1"))
    gateway = Gateway(cast(Any, None), predictor, endpoint, Access([]), False)
    while not predictor.ready:
        await asyncio.sleep(0)
    await script(gateway, worker)
    while predictor.dispatcher.scheduler.backlog != (0, 0):
        await asyncio.sleep(0)
    predictor.stop()
    await worker.die()


def perform(script: Script, directory: Path) -> None:
    asyncio.run(asyncio.wait_for(play(script, directory), SECONDS_LIMIT))


@pytest.mark.parametrize("script", [is_answered, fails, is_left, is_late, is_invalid, is_refused])
def test_a_request_that_ended_leaves_nothing_to_the_garbage_collector(
    script: Script, tmp_path: Path
) -> None:
    gc.collect()
    gc.disable()
    before = of_requests()
    try:
        perform(script, tmp_path)
        assert of_requests() == before
    finally:
        gc.enable()


def test_an_answer_that_comes_after_its_deadline_is_not_given(tmp_path: Path) -> None:
    async def answer_late(gateway: Gateway, worker: WireWorker) -> None:
        asked = Asked(gateway, b'{"inputs": "A lovely film.", "timeout_ms": 50}')
        await worker.has(1)
        worker.answer(*worker.received)
        time.sleep(0.1)  # the loop is busy: it sees the answer before it sees the time
        assert await asked.ended() == 504

    perform(answer_late, tmp_path)


def test_a_client_that_has_left_is_counted_so_when_its_answer_is_there(tmp_path: Path) -> None:
    async def leave_at_the_end(gateway: Gateway, worker: WireWorker) -> None:
        asked = Asked(gateway, b'{"inputs": "A lovely film."}')
        await worker.has(1)
        asked.exchange.on_client_gone = None  # nobody tells the one who waits
        asked.leave()
        worker.answer(*worker.received)
        assert await asked.ended() == 0
        assert asked.exchange.code == 499

    perform(leave_at_the_end, tmp_path)


def test_a_panic_of_the_tokenizer_has_the_one_form(tmp_path: Path) -> None:
    async def panic(gateway: Gateway, worker: WireWorker) -> None:
        rust = gateway._predictor.tokenizer._tokenizer
        rust.pre_tokenizer = FixedLength(0)
        for text in (b"short", b"longer than what is tokenised at once " * 200):
            asked = Asked(gateway, b'{"inputs": "%b"}' % text)
            assert await asked.ended() == 500
            assert json.loads(asked.body)["error_type"] == "internal"

    perform(panic, tmp_path)
