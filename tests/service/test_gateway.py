"""The front door by itself: what is left when it has refused somebody."""

import asyncio
import gc
import weakref
from typing import Any, cast

from service.access import Access
from service.exchange import Exchange
from service.failure import Overloaded
from service.gateway import Gateway
from service.metrics import Metrics
from service.predict import PredictEndpoint
from service.predictor import Predictor


class FullQueue:
    """A predictor's metrics, and an endpoint that refuses everybody."""

    def __init__(self) -> None:
        self.metrics = Metrics(["negative", "positive"], 1, {}).row(0)
        self.refusals: list[weakref.ref[Exception]] = []

    async def predict(self, exchange: Exchange, receive: Any) -> None:
        refusal = Overloaded("the queue is full", "queue_full", 1.0)
        self.refusals.append(weakref.ref(refusal))
        raise refusal


def test_a_refusal_leaves_nothing_to_the_garbage_collector() -> None:
    full, sent = FullQueue(), []
    gateway = Gateway(
        app=cast(Any, None),
        predictor=cast(Predictor, full),
        predict=cast(PredictEndpoint, full.predict),
        access=Access([]),
        log_every_request=False,
    )

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def ask() -> None:
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
        await gateway(scope, None, send)

    gc.disable()
    try:
        asyncio.run(ask())
        assert sent[0]["status"] == 429
        assert [refusal() for refusal in full.refusals] == [None]
    finally:
        gc.enable()
