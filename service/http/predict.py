"""``POST /predict``, from body bytes to answer bytes."""

from typing import Any

from service.engine.tokenizer import Side
from service.failure import Invalid
from service.http.exchange import Exchange, Headers
from service.http.reply import ReplyWriter
from service.http.request_body import PredictRequest, parse_predict, texts_of
from service.prediction import now
from service.queueing.predictor import Predictor
from service.settings import Settings


class PredictEndpoint:
    """Reads top to bottom what happens to a request."""

    def __init__(self, settings: Settings, predictor: Predictor, reply: ReplyWriter) -> None:
        self._settings = settings
        self._predictor = predictor
        self._reply = reply

    async def __call__(self, exchange: Exchange, receive: Any) -> tuple[bytes, Headers]:
        body = await exchange.read_body(receive, self._settings.max_body_bytes)
        request = parse_predict(body)
        texts, batch = texts_of(request.inputs, self._settings.max_texts)
        deadline_at = deadline(exchange, request.timeout_ms, self._settings.timeout_ms)
        prediction = await self._predictor.predict(
            exchange, texts, batch, deadline_at, _side_to_cut(request)
        )
        answer = self._reply.body(prediction, batch, request.raw_scores)
        ended_at = now()
        return answer, self._reply.headers(prediction, exchange.started_at, ended_at)


def deadline(exchange: Exchange, requested_ms: int | None, default_ms: int) -> float:
    """When the request must be answered: the earliest of what header, body and service say.

    Raises:
        Invalid: ``x-request-timeout-ms`` is not a whole number of at least 1.
    """
    timeout_ms = min(default_ms, requested_ms or default_ms)
    header = exchange.headers.get(b"x-request-timeout-ms")
    if header is not None:
        if not header.isdigit() or len(header) > 9 or int(header) < 1:
            raise Invalid("x-request-timeout-ms: must be a whole number of at least 1")
        timeout_ms = min(timeout_ms, int(header))
    return exchange.started_at + timeout_ms / 1e3


def _side_to_cut(request: PredictRequest) -> Side | None:
    if not request.truncate:
        return None
    return "left" if request.truncation_direction.lower() == "left" else "right"
