"""The front door: every request passes here, and ``POST /predict`` is answered here.

It stands in front of FastAPI because routing, dependency solving and response models there cost
three times what the rest of a short prediction's HTTP does. Everything else goes on to the routes.
"""

import logging
import traceback
from typing import Any

from starlette.types import ASGIApp, Message

from service.failure import ClientGone, Failure, Internal, TooLarge
from service.http.access import Access
from service.http.exchange import Exchange, error_body
from service.http.predict import PredictEndpoint
from service.http.reply import server_timing
from service.metrics import ROUTES
from service.prediction import now
from service.queueing.predictor import Predictor

HEADER_BYTES_LIMIT = 32 << 10

logger = logging.getLogger(__name__)


def route_of(path: str, code: int) -> str:
    """The metrics' name of a path: one of a fixed set, whatever clients ask for."""
    if path in ROUTES:
        return path
    if code in (404, 405):
        return "unmatched"
    if path.startswith("/page/"):
        return "/"
    if path.startswith("/v2/"):
        return "/v2/infer" if path.endswith("/infer") else "/v2"
    return "/docs" if path.startswith(("/docs", "/openapi.json", "/redoc")) else "unmatched"


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
        exchange = scope["exchange"] = Exchange(scope)
        metrics.count("inflight_requests")
        failure: Failure | ClientGone | None = None
        try:
            self._check(exchange)
            if exchange.path == "/predict" and exchange.method == "POST":
                body, headers = await self._predict(exchange, receive)
                self._count(exchange, 200)
                await exchange.reply(send, 200, body, headers)
            else:
                await self._app(scope, receive, self._counting(exchange, send))
        except (Failure, ClientGone) as error:
            # With its traceback, or that of the exception it was made of, it would hold this frame,
            # which holds it: thousands of refused bodies would wait for the garbage collector, and
            # then for its pause.
            failure = error.with_traceback(None)
            failure.__context__ = None
        except Exception as error:
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

    def _check(self, exchange: Exchange) -> None:
        if sum(map(len, exchange.headers.values())) > HEADER_BYTES_LIMIT:
            raise TooLarge(f"the headers have more than {HEADER_BYTES_LIMIT} bytes")
        self._access.check(exchange.path, exchange.headers)

    def _count(self, exchange: Exchange, code: int, rejection: str | None = None) -> None:
        """Before the answer is sent, so that whoever has it finds it counted in any process."""
        metrics = self._predictor.metrics
        exchange.code = code
        metrics.count_request(route_of(exchange.path, code), code)
        if rejection is not None and exchange.method == "POST":
            metrics.count_rejected(rejection)
        elif exchange.prediction is not None and code == 200:
            metrics.observe_prediction(exchange.prediction, exchange.started_at, now())

    def _counting(self, exchange: Exchange, send: Any) -> Any:
        async def count_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(exchange, message["status"])
                message["headers"] = [*message.get("headers", []), *exchange.common_headers]
            await send(message)

        return count_and_send

    async def _refuse(self, exchange: Exchange, failure: Failure, send: Any) -> None:
        timing = server_timing(exchange.started_at, now(), exchange.prediction)
        body = error_body(failure, exchange.request_id)
        await exchange.reply(send, failure.status, body, [timing, *failure.headers])


def _log_fields(exchange: Exchange) -> dict[str, object]:
    return {
        "request_id": exchange.request_id.decode("ascii"),
        "method": exchange.method,
        "route": route_of(exchange.path, exchange.code),
        "code": exchange.code,
        "duration_ms": round((now() - exchange.started_at) * 1e3, 3),
    }
