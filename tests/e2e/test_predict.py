"""``POST /predict`` in all its forms, as a client sees it."""

import httpx
import pytest

from tests.e2e.running_service import RunningService


def assert_error(response: httpx.Response, status: int, error_type: str) -> str:
    """The one error form; returns its sentence."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body.keys() == {"error", "error_type", "request_id"}
    assert body["error_type"] == error_type
    assert body["request_id"] == response.headers["x-request-id"]
    assert "server-timing" in response.headers
    return str(body["error"])


def test_one_text_gets_every_label_with_its_score_highest_first(service: RunningService) -> None:
    response = service.predict("A lovely film, I enjoyed every minute of it.")
    assert response.status_code == 200
    scores = response.json()
    assert {entry["label"] for entry in scores} == {"positive", "negative"}
    assert scores[0]["score"] >= scores[1]["score"]
    assert sum(entry["score"] for entry in scores) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    "inputs", [["A lovely film.", "dreadful"], [["A lovely film."], ["dreadful"]]]
)
def test_flat_and_nested_lists_are_batches(service: RunningService, inputs: object) -> None:
    batch = service.predict(inputs).json()
    alone = [service.predict(text).json() for text in ("A lovely film.", "dreadful")]
    for together, single in zip(batch, alone, strict=True):
        assert [entry["label"] for entry in together] == [entry["label"] for entry in single]
        assert [entry["score"] for entry in together] == pytest.approx(
            [entry["score"] for entry in single], abs=1e-5
        )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "body: "),
        (b'{"inputs": "a', "body: "),
        (b"[" * 100_000, "body: "),
        (b'{"inputs": "\xff"}', "body: "),
        (rb'{"inputs": "\ud800"}', "body: "),
        (b'{"inputs": NaN}', "inputs: "),
        (b'{"inputs": 5}', "inputs: "),
        (b'{"inputs": null}', "inputs: "),
        (b'{"inputs": ""}', "inputs: the text is blank"),
        (b'{"inputs": " \\u3000\\n"}', "inputs: the text is blank"),
        (b'{"inputs": []}', "inputs: the list is empty"),
        (b'{"inputs": ["fine", " "]}', "inputs[1]: the text is blank"),
        (b'{"inputs": ["fine", 5]}', "inputs[1]: "),
        (b'{"inputs": [["a", "b"]]}', "inputs[0]: must hold exactly one text"),
        (b'{"inputs": [[]]}', "inputs[0]: must hold exactly one text"),
        (b'{"inputs": "a", "unknown": 1}', "unknown: "),
        (b'{"inputs": "a", "truncate": "yes"}', "truncate: "),
        (b"{}", "inputs: "),
    ],
)
def test_bad_bodies_are_refused_with_the_place_of_the_fault(
    service: RunningService, body: bytes, sentence: str
) -> None:
    headers = {"content-type": "application/json"}
    response = service.client.post("/predict", content=body, headers=headers)
    assert assert_error(response, 422, "validation").startswith(sentence)
