"""Every route but ``/predict``: health, information, tokens, metrics and the page."""

import platform
from importlib.metadata import version
from typing import Any, NoReturn

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from service import __version__
from service.engine.bundle import Bundle
from service.engine.tokenizer import TextTooLong
from service.failure import Internal, Invalid, NotFound, Unavailable
from service.http.openapi import document
from service.http.page_routes import PageRoutes
from service.http.registration import json_body, register
from service.http.request_body import TokenizeRequest, parse_tokenize, place, texts_of
from service.metrics import Metrics
from service.queueing.predictor import Predictor
from service.settings import Settings


class Status(BaseModel):
    status: str


class Token(BaseModel):
    """One token; `start` and `stop` are character offsets into the text (half-open)."""

    id: int
    text: str
    start: int
    stop: int


def add_routes(
    app: FastAPI, settings: Settings, bundle: Bundle, predictor: Predictor, metrics: Metrics
) -> None:
    """Register the routes on LitServe's app, whose own ones of these names go."""
    taken = {"/", "/health", "/info", "/docs", "/docs/oauth2-redirect", "/redoc"}
    app.router.routes = [
        route for route in app.router.routes if getattr(route, "path", None) not in taken
    ]
    # A slash too many is a wrong path like any other, not a redirect.
    app.router.redirect_slashes = False
    _answer_errors_in_one_form(app)
    document(app, bundle.manifest.name, settings.root_path)
    PageRoutes().add_to(app)
    InformationRoutes(settings, bundle, predictor, metrics).add_to(app)


class InformationRoutes:
    """Health, what is served, its metrics, and the tokens of texts."""

    def __init__(
        self, settings: Settings, bundle: Bundle, predictor: Predictor, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._bundle = bundle
        self._predictor = predictor
        self._metrics = metrics

    def add_to(self, app: FastAPI) -> None:
        register(app, "/livez", self.livez)
        register(app, "/readyz", self.readyz)
        register(app, "/health", self.readyz)
        register(app, "/info", self.info)
        if self._settings.metrics:
            register(app, "/metrics", self.scrape, response_class=Response)
        register(app, "/tokenize", self.tokenize, openapi_extra=json_body(TokenizeRequest))

    async def livez(self) -> Status:
        """The process answers."""
        return Status(status="alive")

    async def readyz(self) -> Status:
        """Every worker has been connected and warm, one at least is, and one that died is about to
        come back: send traffic. A worker that fails to start again makes this 503."""
        if not self._predictor.ready:
            raise Unavailable("the service is starting or ending, or lacks a worker")
        return Status(status="ready")

    async def info(self) -> dict[str, Any]:
        """What is served, by which backend and why."""
        manifest = self._bundle.manifest
        return {
            "service": {
                "version": __version__,
                "python": platform.python_version(),
                "litserve": version("litserve"),
            },
            "model": {
                "name": manifest.name,
                "version": manifest.version,
                "digest": self._bundle.digest,
                "labels": manifest.labels,
                "cell": manifest.cell,
                "sizes": manifest.sizes.model_dump(),
                "metrics": manifest.metrics,
            },
            "workers": [
                link.hello.model_dump(exclude={"warm_up"}) if link.hello else None
                for link in self._predictor.dispatcher.links
            ],
            "limits": {
                name: getattr(self._settings, name)
                for name in ("max_tokens", "max_body_bytes", "max_texts", "timeout_ms")
            },
        }

    async def scrape(self) -> Response:
        """Prometheus text format."""
        content_type = "text/plain; version=0.0.4; charset=utf-8"
        return Response(self._metrics.exposition(), media_type=content_type)

    async def tokenize(self, request: Request) -> list[list[Token]]:
        """The tokens of each text, as the model sees them; always a list of lists."""
        exchange = request.scope["exchange"]
        body = await exchange.read_body(request.receive, self._settings.max_body_bytes)
        texts, batch = texts_of(parse_tokenize(body).inputs, self._settings.max_texts)
        predictor, max_tokens = self._predictor, self._settings.max_tokens
        return await predictor.in_thread(
            lambda: [
                _tokens(predictor, text, max_tokens, place(index, batch))
                for index, text in enumerate(texts)
            ]
        )


def _tokens(predictor: Predictor, text: str, max_tokens: int, where: str) -> list[Token]:
    try:
        found = predictor.tokenizer.tokens(text, max_tokens)
    except TextTooLong as error:
        raise Invalid(f"{where}: {error}") from None
    return [
        Token(id=token_id, text=token, start=start, stop=stop)
        for token_id, token, start, stop in found
    ]


def _answer_errors_in_one_form(app: FastAPI) -> None:
    """What Starlette and FastAPI find wrong goes up to the gateway like our own failures."""

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> NoReturn:
        # The gateway has found the path in the table; a setting may have switched its route off.
        if error.status_code == 404:
            raise NotFound("there is nothing at this path")
        raise Internal(str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> NoReturn:
        problem = error.errors()[0]
        raise Invalid(f"{problem['loc'][-1]}: {problem['msg']}")
