"""What ``/openapi.json`` and ``/docs`` say: every answer that the wire gives, with examples."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service import __version__
from service.failure import FAILURES, Failure
from service.route import BY_PATH

DESCRIPTION = """\
Says which label a text has: a packed bidirectional LSTM classifier, with tight latency.

Every error, 404 and 405 included, has one form: `error`, a sentence; `error_type`, one of a few
words; `request_id`, which every answer also carries as `x-request-id`. Send your own to find a
request again in the log.
"""

Schema = dict[str, Any]

ERROR_SCHEMA: Schema = {
    "type": "object",
    "required": ["error", "error_type", "request_id"],
    "additionalProperties": False,
    "properties": {
        "error": {"type": "string", "description": "what is wrong, in one sentence"},
        "error_type": {
            "type": "string",
            "enum": list(dict.fromkeys(failure.error_type for failure in FAILURES)),
        },
        "request_id": {"type": "string"},
    },
}

NUMBER: Schema = {"schema": {"type": "string", "pattern": "^[0-9]+$"}}
REQUEST_ID: Schema = {
    "description": "yours, or one made for this request",
    "schema": {"type": "string"},
}
ANSWER_HEADERS: Schema = {
    "x-model-version": {"description": "of the bundle", "schema": {"type": "string"}},
    "x-tokens": {"description": "tokens of all texts of the request", **NUMBER},
    "x-batch-size": {"description": "texts of the micro-batch that was answered last", **NUMBER},
    "x-truncated": {"description": "texts that were cut to fit; absent when none was", **NUMBER},
    "server-timing": {
        "description": "`tokenize`, `queue`, `transport`, `inference` and `total` in ms",
        "schema": {"type": "string"},
        "example": "tokenize;dur=0.061, queue;dur=0.010, transport;dur=0.158, inference;dur=0.412,"
        " total;dur=0.641",
    },
}
TIMEOUT_HEADER: Schema = {
    "name": "x-request-timeout-ms",
    "in": "header",
    "required": False,
    "description": "deadline of this request; shortens the service's own",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}

REQUEST_EXAMPLES: dict[str, Schema] = {
    "/predict": {
        "one text": {"value": {"inputs": "A lovely film, I enjoyed every minute of it."}},
        "a batch": {"value": {"inputs": ["I loved it.", "A waste of two hours."]}},
        "a batch, as TEI has it": {"value": {"inputs": [["I loved it."], ["A waste of time."]]}},
        "long text, short deadline": {
            "value": {"inputs": "A lovely film.", "truncate": True, "timeout_ms": 500}
        },
    },
    "/v2/models/{name}/infer": {
        "a batch": {
            "value": {
                "inputs": [
                    {
                        "name": "text",
                        "shape": [2],
                        "datatype": "BYTES",
                        "data": ["I loved it.", "A waste of two hours."],
                    }
                ]
            }
        }
    },
    "/tokenize": {
        "one text": {"value": {"inputs": "A lovely film."}},
        "several": {"value": {"inputs": ["I loved it.", "Dull."]}},
    },
}
ONE_ANSWER = [{"label": "positive", "score": 0.9981805}, {"label": "negative", "score": 0.0018195}]
ANSWER_EXAMPLES: dict[str, Schema] = {
    "/predict": {
        "one text": {"value": ONE_ANSWER},
        "a batch": {
            "value": [
                ONE_ANSWER,
                [{"label": "negative", "score": 0.999}, {"label": "positive", "score": 0.001}],
            ]
        },
    },
    "/tokenize": {
        "one text": {
            "value": [
                [
                    {"id": 41, "text": "a", "start": 0, "stop": 1},
                    {"id": 1834, "text": "lovely", "start": 2, "stop": 8},
                    {"id": 219, "text": "film", "start": 9, "stop": 13},
                    {"id": 12, "text": ".", "start": 13, "stop": 14},
                ]
            ]
        }
    },
    "/livez": {"alive": {"value": {"status": "alive"}}},
    "/readyz": {"ready": {"value": {"status": "ready"}}},
    "/health": {"ready": {"value": {"status": "ready"}}},
}


def document(app: FastAPI, model_name: str, root_path: str) -> None:
    """Let the app's OpenAPI say what the gateway and the routes do, and where."""

    def openapi() -> Schema:
        if app.openapi_schema is None:
            app.openapi_schema = _schema(app, model_name, root_path)
        return app.openapi_schema

    app.title, app.version, app.description = "packed-sentiment", __version__, DESCRIPTION
    app.openapi = openapi  # type: ignore[method-assign]


def _schema(app: FastAPI, model_name: str, root_path: str) -> Schema:
    schema = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    if root_path:
        schema["servers"] = [{"url": root_path}]
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Error"] = ERROR_SCHEMA
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "x-api-key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            _complete(path, operation)
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["example"] = model_name
    return schema


def _complete(path: str, operation: Schema) -> None:
    responses = operation["responses"]
    responses.pop("422", None)  # FastAPI's own form, which this service never answers
    if path == "/metrics":
        text = {"schema": {"type": "string"}, "example": "sentiment_queue_depth 0.0\n"}
        responses["200"]["content"] = {"text/plain": text}
    good = responses["200"]
    good["headers"] = {"x-request-id": REQUEST_ID}
    if path in ("/predict", "/v2/models/{name}/infer"):
        good["headers"] |= ANSWER_HEADERS
        operation.setdefault("parameters", []).append(TIMEOUT_HEADER)
    if path in ANSWER_EXAMPLES:
        good["content"]["application/json"]["examples"] = ANSWER_EXAMPLES[path]
    if path in REQUEST_EXAMPLES:
        body = operation["requestBody"]["content"]["application/json"]
        body["examples"] = REQUEST_EXAMPLES[path]
    route = BY_PATH[path]
    if not route.open:
        operation["security"] = [{"bearer": []}, {"x-api-key": []}, {}]
    for failure in route.documented_errors:
        responses[str(failure.status)] = _error(failure)


def _error(failure: type[Failure]) -> Schema:
    example = {
        "error": failure.example,
        "error_type": failure.error_type,
        "request_id": "5f1c3a",
    }
    content = {"schema": {"$ref": "#/components/schemas/Error"}, "example": example}
    headers = {
        name: {"description": description, "schema": {"type": "string"}}
        for name, description in failure.documented_headers.items()
    }
    return {
        "description": failure.when,
        "headers": {"x-request-id": REQUEST_ID, **headers},
        "content": {"application/json": content},
    }
