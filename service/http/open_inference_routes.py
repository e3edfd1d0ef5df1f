"""The routes of Open Inference Protocol v2, for clients that speak Triton or KServe."""

from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response

from service import __version__
from service.engine.backends.registry import BACKENDS
from service.engine.bundle import Bundle
from service.failure import NotFound, Unavailable
from service.http.open_inference import (
    LABEL,
    SCORES,
    TEXT,
    InferenceReply,
    InferenceRequest,
    pack_reply,
    parse_request,
)
from service.http.predict import deadline
from service.http.registration import json_body, register
from service.http.reply import ReplyWriter, probabilities
from service.http.request_body import texts_of
from service.prediction import now
from service.queueing.predictor import Predictor
from service.settings import Settings

CONTENT_TYPES = (b"application/json", b"application/octet-stream")


class OpenInferenceRoutes:
    """``/v2`` and what is below it; a request for another model's name is a 404."""

    def __init__(
        self, settings: Settings, bundle: Bundle, predictor: Predictor, reply: ReplyWriter
    ) -> None:
        self._settings = settings
        self._manifest = bundle.manifest
        self._predictor = predictor
        self._reply = reply

    def add_to(self, app: FastAPI) -> None:
        register(app, "/v2", self.server_metadata)
        register(app, "/v2/health/live", self.live)
        register(app, "/v2/health/ready", self.ready)
        register(app, "/v2/models/{name}", self.model_metadata)
        register(app, "/v2/models/{name}/ready", self.model_ready)
        register(
            app,
            "/v2/models/{name}/infer",
            self.infer,
            response_model=InferenceReply,
            openapi_extra=json_body(InferenceRequest),
        )

    async def live(self) -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    async def ready(self) -> dict[str, bool]:
        """Every worker is connected and warm: send traffic."""
        self._check_ready()
        return {"ready": True}

    async def server_metadata(self) -> dict[str, Any]:
        """Name, version and extensions of the server."""
        extensions = ["binary_tensor_data"]
        return {"name": "packed-sentiment", "version": __version__, "extensions": extensions}

    async def model_metadata(self, name: str) -> dict[str, Any]:
        """Inputs and outputs of the model; the labels stand in the order of its scores."""
        self._check_name(name)
        labels = self._manifest.labels
        hellos = [link.hello for link in self._predictor.dispatcher.links if link.hello]
        if not hellos:
            raise Unavailable("no worker is ready to say what runs the model")
        return {
            "name": self._manifest.name,
            "versions": [self._manifest.version],
            "platform": BACKENDS[hellos[0].backend].platform,
            "inputs": [{"name": TEXT, "datatype": "BYTES", "shape": [-1]}],
            "outputs": [
                {"name": LABEL, "datatype": "BYTES", "shape": [-1]},
                {"name": SCORES, "datatype": "FP32", "shape": [-1, len(labels)]},
            ],
            "parameters": {"labels": ",".join(labels)},
        }

    async def model_ready(self, name: str) -> dict[str, Any]:
        """The model can be asked."""
        self._check_name(name)
        self._check_ready()
        return {"name": name, "ready": True}

    async def infer(self, name: str, request: Request) -> Response:
        """Sentiment of the texts in the tensor `text`: `label` and `scores` of each.

        The binary tensor data extension is understood both ways.
        """
        self._check_name(name)
        settings, manifest = self._settings, self._manifest
        exchange = request.scope["exchange"]
        body = await exchange.read_body(request.receive, settings.max_body_bytes, CONTENT_TYPES)
        json_bytes = exchange.headers.get(b"inference-header-content-length")
        asked, inputs = parse_request(body, json_bytes)
        texts, batch = texts_of(list(inputs), settings.max_texts)
        deadline_at = deadline(exchange, None, settings.timeout_ms)
        prediction = await self._predictor.predict(exchange, texts, batch, deadline_at)
        scores = np.array(list(map(probabilities, prediction.logits)), dtype=np.float32)
        answer, json_end = pack_reply(asked, name, manifest.version, manifest.labels, scores)
        response = Response(answer, media_type="application/json")
        if json_end is not None:
            response.headers["content-type"] = "application/octet-stream"
            response.headers["inference-header-content-length"] = str(json_end)
        response.raw_headers += self._reply.headers(prediction, exchange.started_at, now())
        return response

    def _check_name(self, name: str) -> None:
        if name != self._manifest.name:
            raise NotFound("there is no model of this name")

    def _check_ready(self) -> None:
        if not self._predictor.ready:
            raise Unavailable("not every worker is ready")
