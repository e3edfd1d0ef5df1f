"""One model as the endpoints see it."""

from collections.abc import Awaitable
from typing import TypeVar

from service.engine.bundle import Bundle
from service.engine.tokenizer import Side, TextTooLong
from service.http.exchange import Exchange
from service.http.reply import ReplyWriter
from service.http.wording import Wording
from service.prediction import Prediction
from service.queueing.predictor import Predictor, Token
from service.queueing.text_failure import TextFailure

Result = TypeVar("Result")


class ServedModel:
    """What belongs to a model and to no other: its facts, what predicts, what writes its answers.

    The predictor holds its tokenizer, cost model, admission and queue. Both methods raise Failure
    in the words of the endpoint that asks, or ClientGone.
    """

    def __init__(self, bundle: Bundle, predictor: Predictor) -> None:
        self.manifest = bundle.manifest
        self.digest = bundle.digest
        self.predictor = predictor
        self.reply = ReplyWriter(bundle.manifest.labels, bundle.manifest.version)

    async def predict(
        self,
        exchange: Exchange,
        texts: list[str],
        deadline_at: float,
        truncate: Side | None,
        wording: Wording,
    ) -> Prediction:
        """Logits of every text."""
        submitted = self.predictor.submit(texts, deadline_at, truncate, exchange)
        prediction = exchange.prediction = await _in_words(wording, submitted)
        await _in_words(wording, self.predictor.answer(prediction, exchange))
        return prediction

    async def tokens(self, texts: list[str], wording: Wording) -> list[list[Token]]:
        """The tokens of every text."""
        return await _in_words(wording, self.predictor.tokens(texts))


async def _in_words(wording: Wording, work: Awaitable[Result]) -> Result:
    try:
        return await work
    except (TextFailure, TextTooLong) as error:
        # With its traceback it would hold frames that hold it.
        failure = wording.failure(error.with_traceback(None))
    raise failure
