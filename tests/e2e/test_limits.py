"""What is too much or too late is refused as promised, and nothing else suffers."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.running_service import RunningService, running_service
from tests.e2e.test_predict import assert_error


@pytest.fixture(scope="module")
def narrow() -> Iterator[RunningService]:
    with running_service(
        workers=1, max_tokens=16, max_texts=4, max_queue_texts=8, timeout_ms=120_000
    ) as running:
        yield running


def test_a_body_of_ten_megabytes(service: RunningService) -> None:
    response = service.predict("a" * (10 << 20))
    assert "at most 2097152 are allowed" in assert_error(response, 413, "too_large")
    assert service.predict("next").status_code == 200


def test_a_body_of_ten_megabytes_that_does_not_say_so(service: RunningService) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"inputs": "'
        for _ in range(160):
            yield b"a" * (1 << 16)
        yield b'"}'

    headers = {"content-type": "application/json"}
    response = service.client.post("/predict", content=chunks(), headers=headers)
    assert_error(response, 413, "too_large")


def test_more_texts_than_allowed(service: RunningService) -> None:
    assert service.predict(["a"] * 256).status_code == 200
    response = service.predict(["a"] * 257)
    assert assert_error(response, 413, "too_large") == "inputs: 257 texts, at most 256 are allowed"


def test_more_tokens_than_allowed_are_refused_or_cut_on_the_side_that_was_said(
    narrow: RunningService,
) -> None:
    first, last = "dreadful " * 16, "lovely " * 16
    sentence = assert_error(narrow.predict(["fine", first + last]), 422, "validation")
    assert sentence.startswith("inputs[1]: the text has 32 tokens, at most 16 are allowed")
    assert "dreadful" not in sentence
    for direction, kept in (("right", first), ("Left", last)):
        response = narrow.predict(first + last, truncate=True, truncation_direction=direction)
        assert response.headers["x-truncated"] == "1"
        assert response.headers["x-tokens"] == "16"
        assert response.json() == narrow.predict(kept).json()
    assert "x-truncated" not in narrow.predict("fine", truncate=True).headers


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(narrow: RunningService) -> None:
    def ask() -> httpx.Response:
        return httpx.post(f"{narrow.url}/predict", json={"inputs": ["a"] * 4}, timeout=120.0)

    before = narrow.metric('sentiment_rejected_total{reason="queue_full"}')
    with ThreadPoolExecutor(2) as pool:
        with narrow.paused_workers():
            waiting = [pool.submit(ask) for _ in range(2)]
            narrow.wait_for_inflight(2)
            refused = narrow.predict("one too many")
        assert [answer.result().status_code for answer in waiting] == [200, 200]
    assert assert_error(refused, 429, "overloaded") == "the queue is full"
    assert int(refused.headers["retry-after"]) >= 1
    assert int(refused.headers["retry-after-ms"]) >= 1
    assert narrow.metric('sentiment_rejected_total{reason="queue_full"}') == before + 1


@pytest.mark.parametrize("way", ["body", "header"])
def test_a_deadline_that_passes_is_a_504(narrow: RunningService, way: str) -> None:
    body = {"inputs": "a", **({"timeout_ms": 50} if way == "body" else {})}
    headers = {"x-request-timeout-ms": "50"} if way == "header" else {}
    with narrow.paused_workers():
        response = narrow.client.post("/predict", json=body, headers=headers)
    assert assert_error(response, 504, "deadline") == "the deadline passed"
    assert narrow.predict("next").status_code == 200


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "soon", "1" * 10])
def test_a_deadline_that_is_no_number_is_refused(service: RunningService, value: str) -> None:
    headers = {"x-request-timeout-ms": value}
    response = service.client.post("/predict", json={"inputs": "a"}, headers=headers)
    assert assert_error(response, 422, "validation").startswith("x-request-timeout-ms: ")


def test_another_content_type_is_refused(service: RunningService) -> None:
    for content_type in ("text/plain", "multipart/form-data; boundary=x", "application/xml"):
        headers = {"content-type": content_type}
        body = json.dumps({"inputs": "a"}).encode()
        response = service.client.post("/predict", content=body, headers=headers)
        assert assert_error(response, 422, "validation").startswith("content-type: ")
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert service.client.post("/predict", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/predict/", "/v2/nothing", "/%00", "/predict/../x"])
def test_a_path_that_does_not_exist(service: RunningService, path: str) -> None:
    assert_error(service.client.get(path), 404, "not_found")


@pytest.mark.parametrize(("method", "path"), [("GET", "/predict"), ("POST", "/livez")])
def test_a_method_that_is_not_allowed(service: RunningService, method: str, path: str) -> None:
    response = service.client.request(method, path)
    assert_error(response, 405, "method_not_allowed")
    assert (
        response.headers["allow"]
        == {
            "/predict": "POST, OPTIONS",
            "/livez": "GET, HEAD, OPTIONS",
        }[path]
    )


def test_headers_over_the_limit(service: RunningService) -> None:
    response = service.client.get("/livez", headers={"x-padding": "a" * 40_000})
    assert_error(response, 413, "too_large")
