"""``/metrics`` says what clients saw, to the last request."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
from collections import Counter

import httpx
import pytest

from tests.e2e.exposition import Exposition
from tests.e2e.running_service import RunningService, running_service, wait_until
from tests.e2e.system_tool import system_tool

HISTOGRAMS = {
    *("request_duration_seconds", "tokenize_duration_seconds", "queue_duration_seconds"),
    *("transport_duration_seconds", "inference_duration_seconds", "batch_size", "batch_tokens"),
    *("request_tokens", "batch_padding_ratio"),
}
COUNTERS = {"requests", "rejected", "predictions", "worker_restarts", "tokens", "padding_tokens"}
GAUGES = {
    *("queue_depth", "inflight_requests", "workers_ready", "build_info"),
    "cost_model_relative_error",
}
QUEUE_TEXTS = 12


def assert_every_series_is_declared(scrape: Exposition) -> None:
    declared = dict(re.findall(r"^# TYPE sentiment_(\w+) (\w+)$", scrape.text, re.MULTILINE))
    assert {name for name, kind in declared.items() if kind == "histogram"} == HISTOGRAMS
    assert {name for name, kind in declared.items() if kind == "gauge"} == GAUGES
    counters = {name for name, kind in declared.items() if kind == "counter"}
    assert counters == {f"{name}_total" for name in COUNTERS}


def test_promtool_finds_nothing_to_say(service: RunningService) -> None:
    promtool = system_tool("promtool")
    check = subprocess.run(
        [promtool, "check", "metrics"],
        input=Exposition(service.url).text,
        capture_output=True,
        text=True,
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


class Tally:
    """What the clients of a mixed load saw."""

    def __init__(self) -> None:
        self.codes: Counter[tuple[str, ...]] = Counter()  # by route and code
        self.reasons: Counter[tuple[str, ...]] = Counter()
        self.labels: Counter[tuple[str, ...]] = Counter()
        self.requests = 0  # that were answered with labels
        self.tokens = 0

    def saw(self, route: str, response: httpx.Response) -> None:
        self.codes[route, str(response.status_code)] += 1
        if response.status_code == 504:
            self.reasons["deadline_passed",] += 1
        if response.status_code == 429:
            full = "full" in response.json()["error"]
            self.reasons["queue_full" if full else "deadline_unreachable",] += 1
        if route == "/predict" and response.status_code == 200:
            answer = response.json()
            self.requests += 1
            self.tokens += int(response.headers["x-tokens"])
            for scores in answer if isinstance(answer[0], list) else [answer]:
                self.labels[scores[0]["label"],] += 1

    def left(self) -> None:
        self.codes["/predict", "499"] += 1
        self.reasons["client_gone",] += 1


async def mixed_load(service: RunningService, tally: Tally) -> None:
    """Successes, bad requests, and refusals, timeouts and leavers while all workers stand still."""
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=service.url, timeout=60, limits=limits) as client:

        async def ask(inputs: object, headers: dict[str, str] | None = None) -> int:
            response = await client.post("/predict", json={"inputs": inputs}, headers=headers)
            tally.saw("/predict", response)
            return response.status_code

        async def get(path: str, route: str) -> None:
            tally.saw(route, await client.get(path))

        async def leave(body: bytes, announced: int) -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", service.port)
            head = "POST /predict HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n"
            writer.write(f"{head}content-length: {announced}\r\n\r\n".encode() + body)
            await writer.drain()
            await asyncio.sleep(0.3)  # longer than the service takes to begin to listen for it
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            tally.left()

        await asyncio.gather(*(ask(f"text {number}") for number in range(QUEUE_TEXTS // 2)))
        for _ in range(30):
            await ask(["A lovely film.", "Dreadful, and long beside."])
        await asyncio.gather(ask(""), ask([]), ask(["x"] * (QUEUE_TEXTS + 1)), ask(5))
        await asyncio.gather(get("/nowhere", "unmatched"), get("/livez", "/livez"))
        await asyncio.gather(get("/predict", "/predict"), get("/openapi.json", "/docs"))
        workers = service.worker_pids()
        tally.codes["/info", "200"] += 1
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.gather(
                *(ask("too late", {"x-request-timeout-ms": "250"}) for _ in range(3)),
                leave(b'{"inputs": "gone"}', 18),
                leave(b'{"inputs": "gone"}', 18),
                leave(b'{"inputs": "half', 18),
            )
            waiting = [asyncio.create_task(ask(f"late {number}")) for number in range(60)]
            refused = asyncio.create_task(ask(["and more"] * QUEUE_TEXTS))
            await asyncio.wait([*waiting, refused], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        await asyncio.gather(*waiting, refused)


def assert_counts_are(tally: Tally, service: RunningService) -> None:
    scrape = Exposition(service.url)
    own = ("/metrics", "/readyz")  # what the tests themselves ask to get here
    codes = scrape.by("requests_total", "route", "code")
    assert {key: n for key, n in codes.items() if key[0] not in own} == dict(tally.codes)
    assert scrape.by("rejected_total", "reason") == dict(tally.reasons)
    assert scrape.by("predictions_total", "label") == dict(tally.labels)
    for name in ("request", "tokenize", "queue", "transport"):
        assert scrape.value(f"{name}_duration_seconds_count") == tally.requests
        bucket = scrape.value(f"{name}_duration_seconds_bucket", le="+Inf")
        assert bucket == tally.requests
    assert scrape.value("request_tokens_sum") == tally.tokens
    assert scrape.value("tokens_total") == scrape.value("batch_tokens_sum")
    batches = scrape.value("batch_size_count")
    assert scrape.value("inference_duration_seconds_count") == batches
    assert scrape.value("queue_depth") == 0


@pytest.mark.parametrize(("api_servers", "workers"), [(1, 1), (2, 2)])
def test_counts_are_what_the_clients_saw(api_servers: int, workers: int) -> None:
    with running_service(
        api_servers=api_servers,
        workers=workers,
        max_queue_texts=QUEUE_TEXTS,
        max_texts=QUEUE_TEXTS,
    ) as service:
        first = Exposition(service.url)
        assert_every_series_is_declared(first)
        tally = Tally()
        asyncio.run(mixed_load(service, tally))
        codes = {code for route, code in tally.codes if route == "/predict"}
        assert codes == {"200", "405", "413", "422", "429", "499", "504"}
        # The scrape that looks is itself in flight.
        wait_until(lambda: Exposition(service.url).value("inflight_requests") == 1, "all are done")
        assert_counts_are(tally, service)
        assert Exposition(service.url).samples.keys() == first.samples.keys()

        for _ in range(4):  # whichever process answers
            assert Exposition(service.url).value("workers_ready") == workers
        os.kill(service.worker_pids()[0], signal.SIGKILL)
        tally.codes["/info", "200"] += 1
        missing = workers - 1
        wait_until(lambda: Exposition(service.url).value("workers_ready") == missing, "one is gone")
        wait_until(lambda: Exposition(service.url).value("workers_ready") == workers, "it is back")
        assert Exposition(service.url).value("worker_restarts_total") == 1
        tally.saw("/predict", service.predict(["A lovely film.", "Dreadful."]))
        for _ in range(4):
            assert_counts_are(tally, service)
