"""The routes of Open Inference Protocol v2, for clients that speak Triton or KServe."""

import json
import re
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

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
from service.http.reply import ReplyWriter, probabilities
from service.http.request_body import texts_of
from service.prediction import now
from service.queueing.predictor import Predictor
from service.settings import Settings

CONTENT_TYPES = (b"application/json", b"application/octet-stream")


def add_open_inference_routes(
    app: FastAPI, settings: Settings, bundle: Bundle, predictor: Predictor, reply: ReplyWriter
) -> None:
    """Register ``/v2`` and what is below it; a request for another model's name is a 404."""
    manifest = bundle.manifest

    def check(name: str) -> None:
        if name != manifest.name:
            raise NotFound("there is no model of this name")

    @app.get("/v2/health/live", tags=["open inference protocol"])
    async def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=["open inference protocol"])
    async def ready() -> dict[str, bool]:
        """Every worker is connected and warm: send traffic."""
        if not predictor.ready:
            raise Unavailable("not every worker is ready")
        return {"ready": True}

    @app.get("/v2", tags=["open inference protocol"])
    async def server_metadata() -> dict[str, Any]:
        """Name, version and extensions of the server."""
        extensions = ["binary_tensor_data"]
        return {"name": "packed-sentiment", "version": __version__, "extensions": extensions}

    @app.get("/v2/models/{name}", tags=["open inference protocol"])
    async def model_metadata(name: str) -> dict[str, Any]:
        """Inputs and outputs of the model; the labels stand in the order of its scores."""
        check(name)
        hellos = [link.hello for link in predictor.dispatcher.links if link.hello]
        if not hellos:
            raise Unavailable("no worker is ready to say what runs the model")
        return {
            "name": manifest.name,
            "versions": [manifest.version],
            "platform": BACKENDS[hellos[0].backend].platform,
            "inputs": [{"name": TEXT, "datatype": "BYTES", "shape": [-1]}],
            "outputs": [
                {"name": LABEL, "datatype": "BYTES", "shape": [-1]},
                {"name": SCORES, "datatype": "FP32", "shape": [-1, len(manifest.labels)]},
            ],
            "parameters": {"labels": ",".join(manifest.labels)},
        }

    @app.get("/v2/models/{name}/ready", tags=["open inference protocol"])
    async def model_ready(name: str) -> dict[str, Any]:
        """The model can be asked."""
        check(name)
        if not predictor.ready:
            raise Unavailable("not every worker is ready")
        return {"name": name, "ready": True}

    @app.post(
        "/v2/models/{name}/infer",
        tags=["open inference protocol"],
        response_model=InferenceReply,
        openapi_extra=_json_body(InferenceRequest),
    )
    async def infer(name: str, request: Request) -> Response:
        """Sentiment of the texts in the tensor `text`: `label` and `scores` of each.

        The binary tensor data extension is understood both ways.
        """
        check(name)
        exchange = request.scope["exchange"]
        body = await exchange.read_body(request.receive, settings.max_body_bytes, CONTENT_TYPES)
        json_bytes = exchange.headers.get(b"inference-header-content-length")
        asked, inputs = parse_request(body, json_bytes)
        texts, batch = texts_of(list(inputs), settings.max_texts)
        deadline_at = deadline(exchange, None, settings.timeout_ms)
        prediction = await predictor.predict(exchange, texts, batch, deadline_at)
        scores = np.array(list(map(probabilities, prediction.logits)), dtype=np.float32)
        answer, json_end = pack_reply(asked, name, manifest.version, manifest.labels, scores)
        response = Response(answer, media_type="application/json")
        if json_end is not None:
            response.headers["content-type"] = "application/octet-stream"
            response.headers["inference-header-content-length"] = str(json_end)
        response.raw_headers += reply.headers(prediction, exchange.started_at, now())
        return response


def _json_body(model: type[BaseModel]) -> dict[str, Any]:
    """The schema with its parts written out: OpenAPI resolves no reference into ``$defs``."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs")
    text = re.sub(
        r'\{"\$ref": "#/\$defs/(\w+)"\}',
        lambda match: json.dumps(parts[match[1]]),
        json.dumps(schema),
    )
    content = {"application/json": {"schema": json.loads(text)}}
    return {"requestBody": {"required": True, "content": content}}
