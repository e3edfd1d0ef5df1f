"""Looks after a request that waits: its deadline, and whether its client is still there."""

import asyncio

from service.failure import ClientGone, DeadlinePassed
from service.http.exchange import Exchange
from service.prediction import Prediction, now
from service.queueing.dispatcher import Dispatcher


class Watch:
    """Ends the prediction when its deadline passes or its client leaves, until ``stop``."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dispatcher: Dispatcher,
        exchange: Exchange,
        prediction: Prediction,
    ) -> None:
        self._loop = loop
        self._dispatcher = dispatcher
        self._exchange = exchange
        self._prediction = prediction
        exchange.on_client_gone = self._leave
        self._timer = loop.call_later(max(0.0, prediction.deadline_at - now()), self._look)

    def stop(self) -> None:
        self._timer.cancel()
        self._exchange.on_client_gone = None

    def _look(self) -> None:
        seconds_left = self._prediction.deadline_at - now()
        if seconds_left > 0:  # the loop's clock stands still while it is busy: a timer may be early
            self._timer = self._loop.call_later(seconds_left, self._look)
        else:
            self._dispatcher.abandon(self._prediction, DeadlinePassed("the deadline passed"))

    def _leave(self) -> None:
        self._dispatcher.abandon(self._prediction, ClientGone())
