"""The front door: every request passes here, and ``POST /predict`` is answered here.

It stands in front of FastAPI because routing, dependency solving and response models there cost
three times what the rest of a short prediction's HTTP does. Everything else goes on to the routes.
"""

import asyncio
import logging
import traceback
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message

from service.failure import (
    ClientGone,
    DeadlinePassed,
    Failure,
    Internal,
    Malformed,
    MethodNotAllowed,
    NotFound,
    TooLarge,
)
from service.http.access import Access
from service.http.exchange import Exchange, error_body
from service.http.predict import PredictEndpoint
from service.http.reply import server_timing
from service.prediction import now
from service.queueing.predictor import Predictor
from service.route import ALL_METHODS

HEADER_BYTES_LIMIT = 32 << 10

logger = logging.getLogger(__name__)


class Gateway:
    """ASGI application: request id, access, the one error form, counting, logging."""

    def __init__(
        self,
        app: ASGIApp,
        predictor: Predictor,
        predict: PredictEndpoint,
        access: Access,
        log_every_request: bool,
    ) -> None:
        self._app = app
        self._predictor = predictor
        self._predict = predict
        self._access = access
        self._log_every_request = log_every_request

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        metrics = self._predictor.metrics
        exchange: Exchange = scope["exchange"]
        metrics.count("inflight_requests")
        failure: Failure | ClientGone | None = None
        try:
            await self._answer(exchange, scope, receive, send)
        except (Failure, ClientGone) as error:
            # With its traceback, or that of the exception it was made of, it would hold this frame,
            # which holds it: thousands of refused bodies would wait for the garbage collector, and
            # then for its pause.
            failure = error.with_traceback(None)
            failure.__context__ = None
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of the tokenizer's Rust is no Exception
            if exchange.code:  # the answer is half sent: all that is left is to break it off
                raise
            # The message of an exception may quote a text; where it was raised never does.
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s\n%s", type(error).__name__, where, extra=_log_fields(exchange))
            failure = Internal("an internal error")
        finally:
            metrics.count("inflight_requests", -1.0)
        if failure is not None:
            self._count(exchange, failure.status, failure.rejection)
        if isinstance(failure, Failure):
            await self._refuse(exchange, failure, send)
        if self._log_every_request or (exchange.code >= 500 and exchange.method == "POST"):
            logger.info("request", extra=_log_fields(exchange))

    async def _answer(self, exchange: Exchange, scope: Any, receive: Any, send: Any) -> None:
        """Raises whatever is wrong, before anything has been sent."""
        if exchange.failure is not None:
            raise exchange.failure
        if sum(map(len, exchange.headers.values())) > HEADER_BYTES_LIMIT:
            raise TooLarge(f"the headers have more than {HEADER_BYTES_LIMIT} bytes")
        if exchange.method == "OPTIONS":
            await _options(exchange, scope)(scope, receive, self._counting(exchange, send))
            return
        route = exchange.route
        if route is None or not route.open:
            self._access.check(exchange.headers)
        if route is None:
            raise NotFound("there is nothing at this path")
        if not route.serves(exchange.method):
            raise MethodNotAllowed(f"{exchange.method} is not allowed here", route.allowed)
        if exchange.path == "/predict":
            body, headers = await self._predict(exchange, receive)
            self._count_success(exchange, 200)
            await exchange.reply(send, 200, body, headers)
        else:
            if exchange.method == "HEAD":  # the protocol keeps the body back
                scope = {**scope, "method": "GET"}
            await self._app(scope, receive, self._counting(exchange, send))

    def _count_success(self, exchange: Exchange, code: int) -> None:
        """Raises ClientGone or DeadlinePassed instead, if nobody waits for the answer any more."""
        prediction = exchange.prediction
        if exchange.client_gone:
            raise ClientGone
        if prediction is not None and now() > prediction.deadline_at:
            raise DeadlinePassed("the deadline passed")
        self._count(exchange, code)

    def _count(self, exchange: Exchange, code: int, rejection: str | None = None) -> None:
        """Before the answer is sent, so that whoever has it finds it counted in any process."""
        metrics = self._predictor.metrics
        exchange.code = code
        metrics.count_request(exchange.metric_name, code)
        if rejection is not None and exchange.method == "POST":
            metrics.count_rejected(rejection)
        elif exchange.prediction is not None and code == 200:
            metrics.observe_prediction(exchange.prediction, exchange.started_at, now())

    def _counting(self, exchange: Exchange, send: Any) -> Any:
        async def count_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count_success(exchange, message["status"])
                message["headers"] = [*message.get("headers", []), *exchange.common_headers]
            await send(message)

        return count_and_send

    async def _refuse(self, exchange: Exchange, failure: Failure, send: Any) -> None:
        timing = server_timing(exchange.started_at, now(), exchange.prediction)
        body = error_body(failure, exchange.request_id)
        await exchange.reply(send, failure.status, body, [timing, *failure.headers])


def _options(exchange: Exchange, scope: Any) -> Response:
    """What is allowed here, for which no key is needed; or whether another origin may ask."""
    preflight: Response | None = scope.get("preflight")
    if preflight is not None:
        if preflight.status_code >= 400:
            raise Malformed(f"cross-origin request: {bytes(preflight.body).decode().lower()}")
        return preflight
    if exchange.path != "*" and exchange.route is None:
        raise NotFound("there is nothing at this path")
    allowed = ALL_METHODS if exchange.route is None else exchange.route.allowed
    return Response(status_code=204, headers={"allow": allowed})


def _log_fields(exchange: Exchange) -> dict[str, object]:
    return {
        "request_id": exchange.request_id.decode("ascii"),
        "method": exchange.method,
        "route": exchange.metric_name,
        "code": exchange.code,
        "duration_ms": round((now() - exchange.started_at) * 1e3, 3),
    }
