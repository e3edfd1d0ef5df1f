"""Looks after a request that waits: its deadline, and whether its client is still there."""

import asyncio
from typing import Any

from service.dispatcher import Dispatcher
from service.failure import ClientGone, DeadlinePassed
from service.prediction import Prediction, now

# Listening for the client's leaving costs a task; most answers are out before it would pay.
LISTEN_AFTER_SECONDS = 0.02


class Watch:
    """Ends the prediction when its deadline passes or its client leaves, until ``stop``."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dispatcher: Dispatcher,
        prediction: Prediction,
        receive: Any,
    ) -> None:
        self._loop = loop
        self._dispatcher = dispatcher
        self._prediction = prediction
        self._receive = receive
        self._listener: asyncio.Task[None] | None = None
        seconds_left = prediction.deadline_at - now()
        self._timer = loop.call_later(max(0.0, min(seconds_left, LISTEN_AFTER_SECONDS)), self._look)

    def stop(self) -> None:
        self._timer.cancel()
        if self._listener is not None:
            self._listener.cancel()

    def _look(self) -> None:
        seconds_left = self._prediction.deadline_at - now()
        if seconds_left <= 0:
            self._dispatcher.abandon(self._prediction, DeadlinePassed("the deadline passed"))
            return
        if self._listener is None:
            self._listener = self._loop.create_task(self._listen())
        self._timer = self._loop.call_later(seconds_left, self._look)

    async def _listen(self) -> None:
        message = await self._receive()
        while message["type"] != "http.disconnect":
            message = await self._receive()
        self._dispatcher.abandon(self._prediction, ClientGone())
