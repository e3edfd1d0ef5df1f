"""The one table of routes: what is served, by which methods, to whom, and how it can fail.

The app's routes are registered by it, the gateway answers 404, 405 and ``OPTIONS`` from it, access
reads off it what is open, metrics which names there are, and OpenAPI which errors it documents.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from service.failure import (
    DeadlinePassed,
    Failure,
    Internal,
    Invalid,
    Malformed,
    NotFound,
    NotSupported,
    Overloaded,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnknownEncoding,
)

UNMATCHED = "unmatched"  # the metrics' name of every path that is not served


@dataclass(frozen=True)
class Route:
    """``path`` may have one part in braces; ``metric`` is its name there, its path by default."""

    path: str
    methods: tuple[str, ...] = ("GET",)
    metric: str = ""
    open: bool = False  # to whoever has no key
    errors: tuple[type[Failure], ...] = ()  # beside those that every route has
    tag: str | None = None  # its heading in OpenAPI; none: not described there

    @property
    def metric_name(self) -> str:
        return self.metric or self.path

    @cached_property
    def allowed(self) -> str:
        """The ``Allow`` header: ``HEAD`` wherever there is ``GET``, ``OPTIONS`` everywhere."""
        head = ("HEAD",) if "GET" in self.methods else ()
        return ", ".join((*self.methods, *head, "OPTIONS"))

    def serves(self, method: str) -> bool:
        """``HEAD`` is ``GET`` without the body."""
        return ("GET" if method == "HEAD" else method) in self.methods

    @cached_property
    def documented_errors(self) -> list[type[Failure]]:
        """By status."""
        closed = () if self.open else (Unauthorized,)
        body = (UnknownEncoding,) if "POST" in self.methods else ()
        return sorted(
            {*ANY_REQUEST, *closed, *body, *self.errors}, key=lambda failure: failure.status
        )


ANY_REQUEST = (Malformed, TooLarge, NotSupported)  # for what stands in its headers
PREDICTION_ERRORS = (Invalid, Overloaded, Internal, Unavailable, DeadlinePassed)
HEALTH, INFORMATION, PREDICT, V2 = "health", "information", "predict", "open inference protocol"

# What load balancers, supervisors and Prometheus ask needs no key, nor do the pages, which hold
# nothing that is not public and ask for the key themselves.
ROUTES = (
    Route("/predict", ("POST",), errors=PREDICTION_ERRORS, tag=PREDICT),
    Route("/tokenize", ("POST",), errors=(Invalid, Internal, DeadlinePassed), tag=PREDICT),
    Route(
        "/v2/models/{name}/infer",
        ("POST",),
        metric="/v2/infer",
        errors=(NotFound, *PREDICTION_ERRORS),
        tag=V2,
    ),
    Route("/v2", tag=V2),
    Route("/v2/models/{name}", metric="/v2", errors=(NotFound, Unavailable), tag=V2),
    Route("/v2/models/{name}/ready", metric="/v2", errors=(NotFound, Unavailable), tag=V2),
    Route("/v2/health/live", metric="/v2", open=True, tag=V2),
    Route("/v2/health/ready", metric="/v2", open=True, errors=(Unavailable,), tag=V2),
    Route("/health", open=True, errors=(Unavailable,), tag=HEALTH),
    Route("/livez", open=True, tag=HEALTH),
    Route("/readyz", open=True, errors=(Unavailable,), tag=HEALTH),
    Route("/info", tag=INFORMATION),
    Route("/metrics", open=True, tag=INFORMATION),
    Route("/docs", open=True),
    Route("/openapi.json", metric="/docs"),
    Route("/", open=True),
    Route("/page/{name}", metric="/", open=True),
)
BY_PATH = {route.path: route for route in ROUTES}
ALL_METHODS = "GET, POST, HEAD, OPTIONS"  # of the server as a whole
# Each name once, in the order of the table.
METRIC_NAMES = (*dict.fromkeys(route.metric_name for route in ROUTES), UNMATCHED)

_PATTERNS = [
    (re.compile(re.escape(route.path).replace(r"\{name\}", "[^/]+")), route)
    for route in ROUTES
    if "{" in route.path
]


def route_at(path: str) -> Route | None:
    """The route that serves a path."""
    route = BY_PATH.get(path)
    if route is not None:
        return route
    return next((route for pattern, route in _PATTERNS if pattern.fullmatch(path)), None)
