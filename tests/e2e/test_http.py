"""HTTP as other people's clients speak it, byte for byte on real connections."""

import json
from collections.abc import Iterator

import pytest

from service.route import ROUTES
from tests.e2e.raw_connection import KEY, RawConnection, chunked, request
from tests.e2e.running_service import RunningService, running_service

LIMIT = 100_000
TEXT = json.dumps({"inputs": "A lovely film."}).encode()
LONG = json.dumps({"inputs": "A lovely film. " * 2_000, "truncate": True}).encode()
GET_PATHS = [
    *("/livez", "/readyz", "/health", "/info", "/metrics", "/docs", "/openapi.json", "/"),
    *("/page/main.js", "/page/icon.svg", "/v2", "/v2/health/live", "/v2/health/ready"),
    *("/v2/models/sentiment", "/v2/models/sentiment/ready"),
]


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with running_service(
        workers=1, api_keys=KEY, max_body_bytes=LIMIT, cors_origins="https://page.example"
    ) as running:
        running.client.headers["x-api-key"] = KEY
        yield running


@pytest.fixture
def connection(service: RunningService) -> Iterator[RawConnection]:
    with RawConnection(service) as made:
        yield made


def test_the_table_knows_every_get_path_that_is_tried() -> None:
    patterns = {route.path.replace("{name}", "") for route in ROUTES if "GET" in route.methods}
    assert len(GET_PATHS) >= len(patterns)


@pytest.mark.parametrize("split", [False, True], ids=["one packet", "two packets"])
@pytest.mark.parametrize("body", [TEXT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("offer", ["h2c", "TLS/1.2", "websocket", "irc/6.9, h2c"])
def test_an_offered_upgrade_is_ignored(
    connection: RawConnection, offer: str, framing: str, body: bytes, split: bool
) -> None:
    headers = {"connection": "keep-alive, Upgrade, HTTP2-Settings", "upgrade": offer}
    if framing == "chunked":
        body, headers = chunked(body, 500), {**headers, "transfer_encoding": "chunked"}
    whole = request("POST", "/predict", body, **headers, http2_settings="AAMAAABkAARAAAAAAAIAAAAA")
    head = whole[: len(whole) - len(body)]
    for part in [head, body] if split else [whole]:
        connection.send(part)
    assert connection.answer().status == 200
    connection.send(whole + request() + whole)
    assert [connection.answer().status for _ in range(3)] == [200, 200, 200]
    connection.send(request("POST", "/predict", TEXT))
    assert connection.answer().status == 200


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_upgrade_without_a_body_is_ignored_too(connection: RawConnection, version: str) -> None:
    headers = {"connection": "upgrade", "upgrade": "websocket", "sec_websocket_version": "13"}
    connection.send(request("GET", "/livez", b"", version, **headers))
    assert json.loads(connection.answer().body) == {"status": "alive"}
    assert version == "1.1" or connection.closed


@pytest.mark.parametrize("path", GET_PATHS)
def test_head_is_get_without_the_body(connection: RawConnection, path: str) -> None:
    connection.send(request("GET", path) + request("HEAD", path) + request())
    get, head, next_one = connection.answer(), connection.answer(of_head=True), connection.answer()
    assert (get.status, head.status, next_one.status) == (200, 200, 200)
    varying = {"x-request-id", "date"} | ({"content-length"} if path == "/metrics" else set())
    assert get.headers.keys() == head.headers.keys()
    for name in get.headers.keys() - varying:
        assert get.headers[name] == head.headers[name]


@pytest.mark.parametrize("path", ["/nothing", "/v2/models/other", "/page/none.js"])
def test_head_of_what_does_not_exist_has_the_length_of_its_refusal(
    connection: RawConnection, path: str
) -> None:
    connection.send(request("HEAD", path) + request())
    head = connection.answer(of_head=True)
    assert head.status == 404
    assert int(head.headers["content-length"]) > 50
    assert connection.answer().status == 200


@pytest.mark.parametrize("key", [KEY, ""], ids=["key", "no key"])
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/livez", "GET, HEAD, OPTIONS"),
        ("/page/main.js", "GET, HEAD, OPTIONS"),
        ("/predict", "POST, OPTIONS"),
        ("/v2/models/sentiment/infer", "POST, OPTIONS"),
        ("*", "GET, POST, HEAD, OPTIONS"),
    ],
)
def test_options_says_what_is_allowed(
    connection: RawConnection, path: str, allowed: str, key: str
) -> None:
    connection.send(request("OPTIONS", path, x_api_key=key) + request())
    answer = connection.answer()
    assert (answer.status, answer.headers["allow"]) == (204, allowed)
    assert "content-length" not in answer.headers
    assert connection.answer().status == 200


def test_the_default_check_of_a_balancer_is_content(connection: RawConnection) -> None:
    connection.send(b"OPTIONS / HTTP/1.0\r\n\r\n")
    assert connection.answer().status == 204
    assert connection.closed


@pytest.mark.parametrize("origin", ["https://other.example", "null", "https://page.example.org"])
def test_a_refused_preflight_has_the_one_form_and_is_counted(
    service: RunningService, connection: RawConnection, origin: str
) -> None:
    refused = 'sentiment_requests_total{code="400",route="/predict"}'
    before = service.metric(refused)
    asked = {"origin": origin, "access_control_request_method": "POST"}
    connection.send(request("OPTIONS", "/predict", x_api_key="", **asked))
    answer = connection.answer()
    assert (answer.status, answer.error["error_type"]) == (400, "validation")
    assert "origin" in answer.error["error"]
    assert service.metric(refused) == before + 1
    connection.send(request("OPTIONS", "/predict", **{**asked, "origin": "https://page.example"}))
    answer = connection.answer()
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://page.example"


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize(
    "asked",
    [
        request("POST", "/predict", TEXT),
        request("POST", "/predict", LONG),
        request("POST", "/tokenize", TEXT),
        request("GET", "/info"),
        request("HEAD", "/livez"),
        request("POST", "/predict", TEXT, "1.0"),
        request("POST", "/predict", chunked(TEXT, 3), transfer_encoding="chunked"),
    ],
    ids=lambda asked: asked.split(b"\r\n")[0].decode(),
)
def test_a_client_that_shuts_its_side_gets_its_answers(
    connection: RawConnection, asked: bytes, pieces: int
) -> None:
    count = 1 if b"HTTP/1.0" in asked else 3
    size = -(-len(asked * count) // pieces)
    for start in range(0, len(asked * count), size):
        connection.send((asked * count)[start : start + size])
    connection.shut_writing()
    answers = [connection.answer(of_head=asked.startswith(b"HEAD")) for _ in range(count)]
    assert {answer.status for answer in answers} == {200}
    assert connection.closed


def test_a_client_that_shuts_its_side_and_waits_for_the_worker(
    service: RunningService, connection: RawConnection
) -> None:
    with service.paused_workers():
        connection.send(request("POST", "/predict", TEXT))
        connection.shut_writing()
        service.wait_for_inflight(1)
        late = service.predict("late", timeout_ms=200)
    assert late.status_code == 504
    assert connection.answer().status == 200
    assert connection.closed


def test_a_continuation_is_sent_to_who_asks_and_understands(service: RunningService) -> None:
    for version, continues in (("1.1", True), ("1.0", False)):
        with RawConnection(service) as connection:
            whole = request("POST", "/predict", TEXT, version, expect="100-continue")
            connection.send(whole[: -len(TEXT)])
            if continues:
                assert connection.answer().status == 100
            connection.send(TEXT)
            assert connection.answer().status == 200


MALFORMED = [
    (b"GET /livez HTTP/1.1\r\n\r\n", 400, "the Host header is missing"),
    (b"GET /livez HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, "more than once"),
    (request("POST", "/predict", b"0\r\n\r\n", transfer_encoding="gzip, chunked"), 501, "chunked"),
    (request("POST", "/predict", b"0\r\n\r\n", transfer_encoding="br , Chunked"), 501, "chunked"),
    (request("POST", "/predict", b"", transfer_encoding="identity"), 501, "chunked"),
    (b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n", 501, "CONNECT"),
    (b"hello\r\n\r\n", 400, "not HTTP/1.1"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "not HTTP/1.1"),
    (b"GET /livez HTTP/3.7\r\nhost: a\r\n\r\n", 400, "not HTTP/1.1"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "not HTTP/1.1"),
    (b"GET /livez HTTP/1.1\r\nhost: a\r\nbad header: 1\r\n\r\n", 400, "not HTTP/1.1"),
    (b"GET /livez HTTP/1.1\r\nhost: a\r\n folded: 1\r\n\r\n", 400, "not HTTP/1.1"),
    (b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: 1x\r\n\r\n", 400, "not HTTP/1.1"),
    (b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400, "not HTTP/1.1"),
    (b"GET nowhere HTTP/1.1\r\nhost: a\r\n\r\n", 400, ""),
    (request("POST", "/predict", b"zz\r\n", transfer_encoding="chunked"), 400, "not HTTP/1.1"),
    (b"GET /livez HTTP/1.1\r\nx: " + b"a" * 100_000, 413, "too long"),
]


@pytest.mark.parametrize("before", [0, 2], ids=["first", "third"])
@pytest.mark.parametrize(("data", "status", "sentence"), MALFORMED)
def test_what_is_no_request_is_refused_in_the_one_form_and_counted(
    service: RunningService,
    connection: RawConnection,
    data: bytes,
    status: int,
    sentence: str,
    before: int,
) -> None:
    counted = f'sentiment_requests_total{{code="{status}"'

    def count() -> float:
        lines = service.client.get("/metrics").text.split("\n")
        return sum(float(line.split()[-1]) for line in lines if line.startswith(counted))

    count_before = count()
    connection.send(request("POST", "/predict", TEXT) * before + data)
    assert [connection.answer().status for _ in range(before)] == [200] * before
    answer = connection.answer()
    assert (answer.status, answer.error["error_type"]) == (
        status,
        "too_large" if status == 413 else "validation",
    )
    assert sentence in answer.error["error"]
    assert count() == count_before + 1
