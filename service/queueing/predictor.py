"""Texts in, logits out, for whichever endpoint asks: admission, tokenising, the wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from service.cores import Allotment
from service.cost_model import CostModel
from service.draining import Draining
from service.engine.tokenizer import Encoded, Side, TextsTooLong, TextTokenizer, TextTooLong
from service.failure import ClientGone, Invalid, TooLarge, Unavailable
from service.http.exchange import Exchange
from service.http.request_body import place
from service.metrics import MetricsRow
from service.prediction import Prediction, now
from service.queueing.admission import Admission
from service.queueing.dispatcher import Dispatcher
from service.queueing.watch import Watch
from service.settings import Settings
from service.worker_health import WorkerHealth

# Tokenising runs at 0.6 to 1.6 MB/s, by text and machine: above this it would hold up every other
# request for milliseconds, far longer than handing it to a thread costs.
INLINE_CHARACTERS = 4096
WATCH_SECONDS = 0.5
NO_WORKER = "no worker can be started"

Result = TypeVar("Result")


class Predictor:
    """One per API process."""

    def __init__(
        self,
        settings: Settings,
        tokenizer: TextTokenizer,
        allotment: Allotment,
        draining: Draining,
        health: WorkerHealth,
    ) -> None:
        self._settings = settings
        self._draining = draining
        self._health = health
        # Two micro-batches: one to run and one to choose from, shared by the API processes.
        self._credit_tokens = 2 * settings.micro_batch_tokens // allotment.api_servers
        self._was_complete = False
        self.tokenizer = tokenizer
        self.cost = CostModel()
        self._admission = Admission(
            self.cost,
            settings.micro_batch_texts,
            settings.max_queue_texts,
            settings.max_queue_tokens,
        )

    def start(self, socket_paths: list[Path], metrics: MetricsRow) -> None:
        """Connect to the workers; called in the API process, on its event loop."""
        self.metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="tokenize")
        self.dispatcher = Dispatcher(self.cost, self._admission, self._credit_tokens, metrics)
        self.dispatcher.start(socket_paths)
        self._watch = asyncio.create_task(self._watch_for_workers())

    def stop(self) -> None:
        self._watch.cancel()
        self.dispatcher.stop()
        self._threads.shutdown(wait=False)

    @property
    def ready(self) -> bool:
        """Every worker was ready at the start, one at least is now, none keeps failing to come
        back, and the end has not begun."""
        ready = self.dispatcher.scheduler.workers_ready
        self._was_complete = self._was_complete or ready == len(self.dispatcher.links)
        healthy = ready > 0 and not self._health.any_fails
        return self._was_complete and healthy and not self._draining.begun

    async def predict(
        self,
        exchange: Exchange,
        texts: list[str],
        batch: bool,
        deadline_at: float,
        truncate: Side | None = None,
    ) -> Prediction:
        """Logits of every text, or the first failure for all of them.

        ``truncate`` is the side to cut, if texts may be cut at all.

        Raises:
            Overloaded, Invalid, DeadlinePassed, Unavailable, Internal: nothing was predicted.
            ClientGone: the client left first.
        """
        characters = sum(map(len, texts))
        predicted_wait_seconds = self._admit(characters, len(texts), deadline_at)
        encoded = await self._encode(texts, batch, truncate)
        self._admission.observe_length(characters, encoded.tokens)
        if exchange.client_gone:
            raise ClientGone
        prediction = Prediction(
            encoded.token_ids, encoded.truncated, deadline_at, predicted_wait_seconds
        )
        exchange.prediction = prediction
        self.dispatcher.submit(prediction)
        watch = Watch(self._loop, self.dispatcher, exchange, prediction)
        try:
            await prediction.answered
        except asyncio.CancelledError:
            self.dispatcher.abandon(prediction, ClientGone())
            raise
        finally:
            watch.stop()
            # Texts know their prediction. The cycle would leave every request to the garbage
            # collector, which then takes 30 ms for eight thousand of them at once.
            prediction.texts.clear()
        return prediction

    async def _encode(self, texts: list[str], batch: bool, truncate: Side | None) -> Encoded:
        """A thread takes long texts, so that nobody waits for them."""

        def encode() -> Encoded:
            return self.tokenizer.encode_within(
                texts, self._settings.max_tokens, self._settings.max_queue_tokens, truncate
            )

        short = sum(map(len, texts)) <= INLINE_CHARACTERS
        try:
            if short and self.tokenizer.characters(texts) <= INLINE_CHARACTERS:
                encoded = encode()
            else:
                encoded = await self.in_thread(encode)
        except TextTooLong as error:
            where = place(error.index, batch)
            raise Invalid(f'{where}: {error} (or "truncate": true)') from None
        except TextsTooLong as error:
            raise TooLarge(str(error)) from None
        for index, token_ids in enumerate(encoded.token_ids):
            if not len(token_ids):
                raise Invalid(f"{place(index, batch)}: the text has no tokens")
        return encoded

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        """Run what would hold up other requests beside the event loop."""
        return await self._loop.run_in_executor(self._threads, work)

    def _admit(self, characters: int, texts: int, deadline_at: float) -> float:
        workers = self.dispatcher.scheduler.workers_ready
        if not workers and not self._was_complete:
            raise Unavailable("the service is starting: no worker is ready yet")
        if not workers and self._health.all_fail:
            raise Unavailable(NO_WORKER)
        backlog_texts, backlog_tokens = self.dispatcher.scheduler.backlog
        return self._admission.admit(
            characters, texts, deadline_at - now(), backlog_texts, backlog_tokens, workers
        )

    async def _watch_for_workers(self) -> None:
        """What was let in while a dead worker was about to come back may have waited in vain."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not self.dispatcher.scheduler.workers_ready and self._health.all_fail:
                self.dispatcher.refuse_unsent(Unavailable(NO_WORKER))
