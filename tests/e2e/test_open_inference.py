"""Open Inference Protocol v2, asked by a client library of its own and in plain JSON."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from service.engine.backends.registry import BACKENDS
from tests.e2e.load import scores
from tests.e2e.running_service import RunningService

TEXTS = ["A lovely film, I enjoyed every minute.", "Dull and far too long.", "Ein Film — naïve 🙂"]
PATH = "/v2/models/sentiment/infer"


@pytest.fixture(scope="module")
def client(service: RunningService) -> Iterator[triton.InferenceServerClient]:
    made = triton.InferenceServerClient(f"127.0.0.1:{service.port}")
    yield made
    made.close()


def tensor(shape: list[int], binary: bool) -> triton.InferInput:
    made = triton.InferInput("text", shape, "BYTES")
    data = np.array([text.encode() for text in TEXTS], dtype=object).reshape(shape)
    made.set_data_from_numpy(data, binary_data=binary)
    return made


def test_the_client_finds_server_and_model(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("sentiment")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = client.get_model_metadata("sentiment")
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [output["name"] for output in metadata["outputs"]] == ["label", "scores"]


@pytest.mark.parametrize("binary_output", [True, False])
@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("shape", [[3], [3, 1]])
def test_the_client_gets_the_answers_of_predict(
    service: RunningService,
    client: triton.InferenceServerClient,
    shape: list[int],
    binary_input: bool,
    binary_output: bool,
) -> None:
    outputs = [
        triton.InferRequestedOutput(name, binary_data=binary_output) for name in ("label", "scores")
    ]
    result = client.infer("sentiment", [tensor(shape, binary_input)], outputs=outputs)
    got_labels = [
        label.decode() if isinstance(label, bytes) else label for label in result.as_numpy("label")
    ]
    predicted = service.predict(TEXTS).json()
    assert got_labels == [rows[0]["label"] for rows in predicted]
    labels = service.client.get("/info").json()["model"]["labels"]
    expected = [[scores(rows)[label] for label in labels] for rows in predicted]
    assert np.abs(result.as_numpy("scores") - np.array(expected)).max() <= 1e-5


def test_the_platform_is_that_of_the_backend_that_serves(
    client: triton.InferenceServerClient, service: RunningService
) -> None:
    backend = service.client.get("/info").json()["workers"][0]["backend"]
    assert client.get_model_metadata("sentiment")["platform"] == BACKENDS[backend].platform


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_the_client_may_compress(
    client: triton.InferenceServerClient, algorithm: str, binary: bool
) -> None:
    plain = client.infer("sentiment", [tensor([3], binary)])
    result = client.infer(
        "sentiment",
        [tensor([3], binary)],
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )
    assert np.array_equal(result.as_numpy("label"), plain.as_numpy("label"))
    assert np.abs(result.as_numpy("scores") - plain.as_numpy("scores")).max() <= 1e-5


def test_all_outputs_come_without_asking(client: triton.InferenceServerClient) -> None:
    result = client.infer("sentiment", [tensor([3], True)], request_id="mine")
    assert result.as_numpy("scores").shape == (3, 2)
    assert result.as_numpy("label").shape == (3,)
    assert result.get_response()["id"] == "mine"


def test_the_client_is_told_what_is_wrong(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="no model of this name"):
        client.infer("other", [tensor([3], True)])


def test_plain_json_is_enough_and_one_output_can_be_asked_for(service: RunningService) -> None:
    request = {
        "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXTS[0]]}],
        "outputs": [{"name": "label"}],
    }
    response = service.client.post(PATH, json=request)
    assert response.status_code == 200
    (output,) = response.json()["outputs"]
    assert output == {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["positive"]}
    assert response.headers["x-batch-size"]
    assert "inference;dur=" in response.headers["server-timing"]


def test_requests_are_counted_like_those_of_predict(service: RunningService) -> None:
    requests = 'sentiment_requests_total{code="200",route="/v2/infer"}'
    before = service.metric(requests), service.metric("sentiment_predictions_total")
    text = {"name": "text", "shape": [3], "datatype": "BYTES", "data": TEXTS}
    service.client.post(PATH, json={"inputs": [text]})
    after = service.metric(requests), service.metric("sentiment_predictions_total")
    assert after == (before[0] + 1, before[1] + 3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "texts"}, "inputs: there must be one tensor"),
        ({"datatype": "FP32"}, "inputs[0].datatype"),
        ({"shape": [2]}, "inputs[0].shape"),
        ({"shape": [1, 2]}, "inputs[0].shape"),
        ({"data": []}, "inputs[0].shape"),
        ({"data": None}, "inputs[0]: data is missing"),
        ({"data": [5]}, "inputs.0.data"),
        ({"data": [" "]}, "inputs[0]: the text is blank"),
        ({"parameters": {"binary_data_size": 5}}, "inputs[0]: binary_data_size"),
        ({"data": ["a"] * 257, "shape": [257]}, "inputs: 257 texts"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    service: RunningService, change: dict[str, object], sentence: str
) -> None:
    text = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"], **change}
    response = service.client.post(PATH, json={"inputs": [text]})
    assert response.status_code == (413 if "257" in sentence else 422)
    assert response.json()["error"].startswith(sentence)


@pytest.mark.parametrize(
    ("binary", "sentence"),
    [
        (b"\x05\0\0\0abc", "inputs[0]: text 0 is longer"),
        (b"\x01\0\0\0a\x01\0", "inputs[0]: text 1 is longer"),
        (b"\x02\0\0\0\xff\xfe", "inputs[0]: text 0 is not UTF-8"),
        (b"\xff\xff\xff\xff", "inputs[0]: text 0 is longer"),
    ],
)
def test_broken_binary_tensors_are_refused(
    service: RunningService, binary: bytes, sentence: str
) -> None:
    text = {"name": "text", "shape": [1], "datatype": "BYTES"}
    text["parameters"] = {"binary_data_size": len(binary)}  # type: ignore[assignment]
    head = json.dumps({"inputs": [text]}).encode()
    headers = {
        "inference-header-content-length": str(len(head)),
        "content-type": "application/octet-stream",
    }
    response = service.client.post(PATH, content=head + binary, headers=headers)
    assert response.status_code == 422
    assert response.json()["error"].startswith(sentence)


@pytest.mark.parametrize("length", ["-1", "x", "99999999999"])
def test_a_length_of_the_json_part_that_can_not_be_is_refused(
    service: RunningService, length: str
) -> None:
    headers = {"inference-header-content-length": length, "content-type": "application/json"}
    response = service.client.post(PATH, content=b"{}", headers=headers)
    assert response.status_code == 422
    assert response.json()["error"].startswith("inference-header-content-length")
