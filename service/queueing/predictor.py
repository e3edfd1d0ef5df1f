"""Texts in, logits out, for whichever endpoint asks: admission, tokenising, the wait."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from service.cost_model import CostModel
from service.draining import Draining
from service.engine.tokenizer import Encoded, Side, TextsTooLong, TextTokenizer, TextTooLong
from service.failure import ClientGone, TooLarge, Unavailable
from service.metrics import MetricsRow
from service.prediction import Prediction, now
from service.queueing.admission import Admission
from service.queueing.client import Client
from service.queueing.dispatcher import Dispatcher
from service.queueing.text_failure import TextHasNoTokens, TextIsBlank
from service.queueing.watch import Watch
from service.settings import Settings
from service.wire import Hello
from service.worker_health import WorkerHealth

# Tokenising runs at 0.6 to 1.6 MB/s, by text and machine: above this it would hold up every other
# request for milliseconds, far longer than handing it to a thread costs.
INLINE_CHARACTERS = 4096
WATCH_SECONDS = 0.5
NO_WORKER = "no worker can be started"

Result = TypeVar("Result")
Token = tuple[int, str, int, int]  # id, token, and its half-open range of characters


class Predictor:
    """One per model and API process. It predicts from ``start``, on the event loop, to ``stop``."""

    def __init__(
        self,
        settings: Settings,
        tokenizer: TextTokenizer,
        api_servers: int,
        socket_paths: Sequence[Path],
        metrics: MetricsRow,
        draining: Draining,
        health: WorkerHealth,
    ) -> None:
        self._settings = settings
        self._tokenizer = tokenizer
        self._draining = draining
        self._health = health
        cost = CostModel()
        # Two micro-batches: one to run and one to choose from, shared by the API processes.
        credit_tokens = 2 * settings.micro_batch_tokens // api_servers
        self._dispatcher = Dispatcher(cost, credit_tokens, metrics, socket_paths)
        self._admission = Admission(
            cost, settings.micro_batch_texts, settings.max_queue_texts, settings.max_queue_tokens
        )
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="tokenize")
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._dispatcher.start()
        self._tasks = [asyncio.create_task(self._watch_for_workers())]

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._dispatcher.stop()
        self._threads.shutdown(wait=False)

    @property
    def workers(self) -> list[Hello | None]:
        """What each worker says of itself while it is connected."""
        return self._dispatcher.workers

    @property
    def ready(self) -> bool:
        """Every worker was ready at the start, one at least is now, none keeps failing to come
        back, and the end has not begun."""
        healthy = self._dispatcher.workers_ready > 0 and not self._health.any_fails
        return self._dispatcher.was_complete and healthy and not self._draining.begun

    @property
    def idle(self) -> bool:
        """Nothing waits or runs."""
        return self._dispatcher.backlog == (0, 0)

    async def submit(
        self, texts: list[str], deadline_at: float, truncate: Side | None, client: Client
    ) -> Prediction:
        """Tokenise and queue; ``answer`` waits for the rest.

        ``truncate`` is the side to cut, if texts may be cut at all.

        Raises:
            TextFailure, TextTooLong: a text is not one that can be predicted.
            Overloaded, TooLarge, Unavailable: refused.
            ClientGone: the client left first.
        """
        _refuse_blank(texts)
        characters = sum(map(len, texts))
        predicted_wait_seconds = self._admit(characters, len(texts), deadline_at)
        encoded = await self._encode(texts, truncate)
        self._admission.observe_length(characters, encoded.tokens)
        if client.client_gone:
            raise ClientGone
        prediction = Prediction(
            encoded.token_ids, encoded.truncated, deadline_at, predicted_wait_seconds
        )
        self._dispatcher.submit(prediction, encoded.token_ids)
        return prediction

    async def answer(self, prediction: Prediction, client: Client) -> None:
        """Wait for the logits of every text, or the first failure for all of them.

        Raises:
            TextFailure: the model failed on a text.
            DeadlinePassed, Unavailable: it was not predicted in time, or can't be.
            ClientGone: the client left first.
        """
        watch = Watch(asyncio.get_running_loop(), self._dispatcher, client, prediction)
        try:
            await prediction.answered
        except asyncio.CancelledError:
            self._dispatcher.abandon(prediction, ClientGone())
            raise
        finally:
            watch.stop()
        if prediction.predicted_wait_seconds:
            waited_seconds = prediction.finished_at - prediction.queued_at
            self._admission.observe_wait(prediction.predicted_wait_seconds, waited_seconds)

    async def tokens(self, texts: list[str]) -> list[list[Token]]:
        """The tokens of each text.

        Raises:
            TextFailure, TextTooLong: a text is not one that could be predicted.
        """
        _refuse_blank(texts)
        return await self._in_thread(lambda: list(map(self._tokens, range(len(texts)), texts)))

    def _tokens(self, index: int, text: str) -> list[Token]:
        try:
            return self._tokenizer.tokens(text, self._settings.max_tokens)
        except TextTooLong as error:
            error.index = index
            raise

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        """Run what would hold up other requests beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _encode(self, texts: list[str], truncate: Side | None) -> Encoded:
        """A thread takes long texts, so that nobody waits for them."""

        def encode() -> Encoded:
            return self._tokenizer.encode_within(
                texts, self._settings.max_tokens, self._settings.max_queue_tokens, truncate
            )

        short = sum(map(len, texts)) <= INLINE_CHARACTERS
        try:
            if short and self._tokenizer.characters(texts) <= INLINE_CHARACTERS:
                encoded = encode()
            else:
                encoded = await self._in_thread(encode)
        except TextsTooLong as error:
            raise TooLarge(str(error)) from None
        for index, token_ids in enumerate(encoded.token_ids):
            if not len(token_ids):
                raise TextHasNoTokens(index)
        return encoded

    def _admit(self, characters: int, texts: int, deadline_at: float) -> float:
        workers = self._dispatcher.workers_ready
        if not workers and not self._dispatcher.was_complete:
            raise Unavailable("the service is starting: no worker is ready yet")
        if not workers and self._health.all_fail:
            raise Unavailable(NO_WORKER)
        backlog_texts, backlog_tokens = self._dispatcher.backlog
        return self._admission.admit(
            characters, texts, deadline_at - now(), backlog_texts, backlog_tokens, workers
        )

    async def _watch_for_workers(self) -> None:
        """What was let in while a dead worker was about to come back may have waited in vain."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not self._dispatcher.workers_ready and self._health.all_fail:
                self._dispatcher.refuse_unsent(Unavailable(NO_WORKER))


def _refuse_blank(texts: list[str]) -> None:
    for index, text in enumerate(texts):
        if not text or text.isspace():
            raise TextIsBlank(index)
