"""``/openapi.json`` says what the wire says, and its examples work."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.running_service import RunningService

CHECKS = [
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_schema_conformance", "response_headers_conformance", "negative_data_rejection"),
    *("unsupported_method", "missing_required_header"),
]


@pytest.fixture(scope="module")
def schema(service: RunningService) -> dict[str, Any]:
    return dict(service.client.get("/openapi.json").json())


def test_schemathesis_gets_no_undocumented_answer(service: RunningService, tmp_path: Path) -> None:
    command = [
        *(str(Path(sys.executable).parent / "st"), "--no-color"),
        *("--config-file", str(Path(__file__).parent / "schemathesis.toml")),
        *("run", f"{service.url}/openapi.json", "--generation-deterministic"),
        *("--max-examples", "10", "--max-time", "25", "--checks", ",".join(CHECKS)),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert service.metric("sentiment_requests_total") > 100, "it asked"
    assert service.metric('sentiment_requests_total{code="500",route="/predict"}') == 0


def test_every_request_example_is_answered(service: RunningService, schema: dict[str, Any]) -> None:
    tried = 0
    for path, operations in schema["paths"].items():
        body = operations.get("post", {}).get("requestBody")
        if body is None:
            continue
        for parameter in operations["post"].get("parameters", []):
            path = path.replace(f"{{{parameter['name']}}}", str(parameter.get("example")))
        for example in body["content"]["application/json"]["examples"].values():
            response = service.client.post(path, json=example["value"])
            assert response.status_code == 200, f"{path} {example}: {response.text}"
            tried += 1
    assert tried >= 7


def test_errors_are_documented_in_their_one_form(schema: dict[str, Any]) -> None:
    predict = schema["paths"]["/predict"]["post"]["responses"]
    assert set(predict) == {
        *("200", "400", "401", "413", "415", "422", "429", "500", "501", "503", "504"),
    }
    assert set(predict["429"]["headers"]) == {"x-request-id", "retry-after", "retry-after-ms"}
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    for operations in schema["paths"].values():
        for operation in operations.values():
            assert operation["description"]
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    content = response["content"]["application/json"]
                    assert content["schema"] == {"$ref": "#/components/schemas/Error"}
                    assert content["example"].keys() == {"error", "error_type", "request_id"}


def test_predictions_carry_the_headers_that_are_documented(
    service: RunningService, schema: dict[str, Any]
) -> None:
    documented = schema["paths"]["/predict"]["post"]["responses"]["200"]["headers"]
    answer = service.predict("A lovely film.")
    assert documented.keys() - answer.headers.keys() == {"x-truncated"}


def test_metrics_and_the_page_need_no_key_in_the_documentation(schema: dict[str, Any]) -> None:
    assert "401" not in schema["paths"]["/metrics"]["get"]["responses"]
    assert "401" in schema["paths"]["/info"]["get"]["responses"]
