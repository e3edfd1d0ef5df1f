"""How the table of routes becomes routes of the app."""

import json
import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from service.route import BY_PATH


def register(app: FastAPI, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
    """Serve a path of the table by ``endpoint``; its docstring is what OpenAPI says."""
    route = BY_PATH[path]
    app.add_api_route(
        path,
        endpoint,
        methods=list(route.methods),
        tags=[route.tag] if route.tag else None,
        include_in_schema=route.tag is not None,
        **options,
    )


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """The schema with its parts written out: OpenAPI resolves no reference into ``$defs``."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})
    text = re.sub(
        r'\{"\$ref": "#/\$defs/(\w+)"\}',
        lambda match: json.dumps(parts[match[1]]),
        json.dumps(schema),
    )
    content = {"application/json": {"schema": json.loads(text)}}
    return {"requestBody": {"required": True, "content": content}}
