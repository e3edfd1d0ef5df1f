import contextlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.failure import Invalid
from service.http.open_inference import InferenceRequest, pack_reply, parse_request

LABELS = ["bad", "good", "so so"]
valid_texts = st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5)


def request(texts: list[str], binary: bool, column: bool) -> tuple[bytes, bytes | None]:
    """Body and ``Inference-Header-Content-Length`` of a request for these texts."""
    shape = [len(texts), 1] if column else [len(texts)]
    tensor: dict[str, object] = {"name": "text", "shape": shape, "datatype": "BYTES"}
    raw = b""
    if binary:
        encoded = [text.encode() for text in texts]
        raw = b"".join(struct.pack("<I", len(text)) + text for text in encoded)
        tensor["parameters"] = {"binary_data_size": len(raw)}
    else:
        tensor["data"] = [[text] for text in texts] if column else texts
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + raw, b"%d" % len(head) if binary else None


@given(valid_texts, st.booleans(), st.booleans())
def test_any_texts_come_through_in_json_and_in_binary(
    texts: list[str], binary: bool, column: bool
) -> None:
    assert parse_request(*request(texts, binary, column))[1] == texts


@given(st.binary(max_size=40))
def test_arbitrary_binary_tensors_are_texts_or_refused(raw: bytes) -> None:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES"}
    head = json.dumps(
        {"inputs": [{**tensor, "parameters": {"binary_data_size": len(raw)}}]}
    ).encode()
    with contextlib.suppress(Invalid):  # and no other exception
        assert len(parse_request(head + raw, b"%d" % len(head))[1]) == 1


def test_binary_and_json_outputs_can_be_mixed() -> None:
    asked = InferenceRequest.model_validate(
        {
            "id": "7",
            "inputs": [],
            "outputs": [
                {"name": "label", "parameters": {"binary_data": True}},
                {"name": "scores"},
            ],
        }
    )
    scores = np.array([[0.25, 0.5, 0.25], [0.1, 0.2, 0.7]], np.float32)
    body, json_end = pack_reply(asked, "model", "1", LABELS, scores)
    reply = json.loads(body[:json_end])
    assert (reply["model_name"], reply["model_version"], reply["id"]) == ("model", "1", "7")
    label, given_scores = reply["outputs"]
    assert label["parameters"]["binary_data_size"] == len(body[json_end:])
    assert body[json_end:] == b"\x04\0\0\0good\x05\0\0\0so so"
    assert given_scores["shape"] == [2, 3]
    assert given_scores["data"] == pytest.approx(scores.ravel().tolist())


def test_without_binary_outputs_the_answer_is_json_only() -> None:
    asked = InferenceRequest.model_validate({"inputs": []})
    body, json_end = pack_reply(asked, "model", "1", LABELS, np.eye(3, dtype=np.float32))
    assert json_end is None
    assert [output["name"] for output in json.loads(body)["outputs"]] == ["label", "scores"]
