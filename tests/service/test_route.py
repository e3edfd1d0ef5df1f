"""The app serves what the table of routes says, and nothing else."""

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from service.cores import Allotment
from service.draining import Draining
from service.engine.bundle import Bundle
from service.engine.tokenizer import TextTokenizer
from service.http.open_inference_routes import OpenInferenceRoutes
from service.http.predict_spec import predict
from service.http.registration import register
from service.http.reply import ReplyWriter
from service.http.routes import add_routes
from service.metrics import Metrics
from service.queueing.predictor import Predictor
from service.route import BY_PATH, METRIC_NAMES, ROUTES, UNMATCHED, route_at
from service.settings import SHIPPED_BUNDLE, read_settings
from service.worker_health import WorkerHealth


@pytest.fixture(scope="module")
def app() -> FastAPI:
    settings, bundle = read_settings([]), Bundle(SHIPPED_BUNDLE)
    allotment = Allotment(api_servers=1, workers=1, threads=1)
    predictor = Predictor(settings, TextTokenizer(bundle), allotment, Draining(), WorkerHealth(1))
    made = FastAPI(docs_url=None, redoc_url=None)
    register(made, "/predict", predict)
    add_routes(made, settings, bundle, predictor, Metrics(["bad", "good"], 1, {}))
    OpenInferenceRoutes(settings, bundle, predictor, ReplyWriter(["bad", "good"], "1")).add_to(made)
    return made


def test_every_route_of_the_table_is_served_and_no_other(app: FastAPI) -> None:
    served = {
        (context.path, frozenset(context.methods or ()) - {"HEAD"})
        for context in iter_route_contexts(app.routes)
    }
    assert served == {(route.path, frozenset(route.methods)) for route in ROUTES}


def test_openapi_describes_every_route_that_has_a_heading(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    assert set(paths) == {route.path for route in ROUTES if route.tag}
    for path, operations in paths.items():
        (operation,) = operations.values()
        errors = {int(status) for status in operation["responses"] if int(status) >= 400}
        assert errors == {failure.status for failure in BY_PATH[path].documented_errors}
        assert ("security" in operation) == (401 in errors) == (not BY_PATH[path].open)


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/predict", "/predict"),
        ("/v2/models/sentiment", "/v2/models/{name}"),
        ("/v2/models/a b%/ready", "/v2/models/{name}/ready"),
        ("/v2/models/infer/infer", "/v2/models/{name}/infer"),
        ("/page/main.js", "/page/{name}"),
        ("/", "/"),
    ],
)
def test_a_path_finds_its_route(path: str, pattern: str) -> None:
    assert route_at(path) == BY_PATH[pattern]


@pytest.mark.parametrize(
    "path",
    [
        *("", "*", "/predict/", "/Predict", "//predict", "/predict\n", "/page/", "/page/a/b"),
        *("/page", "/v2/", "/v2/infer", "/v2/models/", "/v2/models//infer", "/v2/models/a/b/infer"),
        *("/docs/x", UNMATCHED),
    ],
)
def test_another_path_finds_none(path: str) -> None:
    assert route_at(path) is None


def test_metrics_know_few_names() -> None:
    assert len(METRIC_NAMES) == len(set(METRIC_NAMES)) == 12
    for route in ROUTES:
        assert route.metric_name in METRIC_NAMES


@pytest.mark.parametrize(
    ("path", "allowed"), [("/predict", "POST, OPTIONS"), ("/livez", "GET, HEAD, OPTIONS")]
)
def test_what_is_allowed_follows_from_the_methods(path: str, allowed: str) -> None:
    assert BY_PATH[path].allowed == allowed
