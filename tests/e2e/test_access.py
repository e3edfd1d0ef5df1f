"""Who may ask, what browsers may do, and that no text of anybody is ever logged."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running_service import RunningService, running_service, wait_until
from tests.e2e.test_predict import assert_error

MARKER = "zanzibarquux"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """With keys from the setting and a file, one origin allowed, every request logged."""
    file: Path = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text("third-key\n")
    with running_service(
        workers=1,
        api_keys="first-key,second-key",
        api_key_file=file,
        cors_origins="https://page.example",
        access_log=True,
    ) as running:
        running.client.headers["x-api-key"] = "first-key"
        yield running


@pytest.mark.parametrize("key", ["first-key", "second-key", "third-key"])
def test_each_key_is_let_in_both_ways(closed: RunningService, key: str) -> None:
    body = {"inputs": "a"}
    for headers in ({"x-api-key": key}, {"x-api-key": "", "authorization": f"Bearer {key}"}):
        assert closed.client.post("/predict", json=body, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/tokenize", "/v2/models/sentiment/infer"])
def test_a_wrong_or_missing_key_is_refused(closed: RunningService, path: str) -> None:
    for key, sentence in (("wrong", "the API key is wrong"), ("", "an API key is required")):
        response = closed.client.post(path, json={"inputs": "a"}, headers={"x-api-key": key})
        assert assert_error(response, 401, "unauthorized") == sentence
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics", "/v2/health/live"])
def test_health_and_metrics_need_no_key(closed: RunningService, path: str) -> None:
    assert closed.client.get(path, headers={"x-api-key": ""}).status_code == 200


def test_browsers_of_other_origins_are_not_served_unless_allowed(
    service: RunningService, closed: RunningService
) -> None:
    preflight = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-api-key",
    }
    for running, origin, allowed in (
        (service, "https://page.example", None),
        (closed, "https://other.example", None),
        (closed, "https://page.example", "https://page.example"),
    ):
        headers = {"origin": origin, **preflight}
        answer = running.client.options("/predict", headers=headers)
        assert answer.headers.get("access-control-allow-origin") == allowed
        answer = running.client.post("/predict", json={"inputs": "a"}, headers={"origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed


def test_the_request_id_is_echoed_if_it_is_sane_and_made_if_not(service: RunningService) -> None:
    def request_id(given: str | None) -> str:
        headers = {} if given is None else {"x-request-id": given}
        response = service.client.post("/predict", json={"inputs": "a"}, headers=headers)
        return str(response.headers["x-request-id"])

    assert request_id("mine-1") == "mine-1"
    assert request_id("a" * 128) == "a" * 128
    made = [request_id(given) for given in (None, "", "a" * 129, "tab\there")]
    assert len(set(made)) == 4
    assert all(name.isalnum() and len(name) <= 64 for name in made)


def test_the_trace_of_the_caller_is_passed_through(service: RunningService) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for path in ("/predict", "/nothing"):
        response = service.client.post(path, json={"inputs": "a"}, headers={"traceparent": trace})
        assert response.headers["traceparent"] == trace
    assert "traceparent" not in service.predict("a").headers


def logged_ids(service: RunningService) -> set[str]:
    """The request ids in the log, every line of which is JSON."""
    lines = service.log.rpartition("\n")[0].splitlines()
    return {json.loads(line).get("request_id") for line in lines}


def test_no_text_and_no_key_is_ever_logged(closed: RunningService) -> None:
    bodies: list[object] = [
        {"inputs": MARKER},
        {"inputs": [MARKER, ""]},
        {"inputs": [MARKER, 5]},
        {"inputs": {MARKER: MARKER}},
        {"inputs": MARKER * 20_000},
        {"inputs": [MARKER] * 300},
    ]
    answers = [closed.client.post("/predict", json=body) for body in bodies]
    answers += [closed.client.post("/tokenize", json=body) for body in bodies[1:]]
    answers.append(closed.client.get(f"/{MARKER}?text={MARKER}"))
    answers.append(closed.client.post("/predict", content=f'{{"inputs": "{MARKER}'.encode()))
    for answer in answers:
        assert answer.status_code == 200 or MARKER not in answer.text
    answered = {answer.headers["x-request-id"] for answer in answers}
    # An answer may be here before its line is there.
    wait_until(lambda: answered <= logged_ids(closed), "every answer is logged")
    log = closed.log
    assert MARKER not in log
    assert "-key" not in log
