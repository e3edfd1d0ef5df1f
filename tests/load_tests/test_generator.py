"""The generator against servers of the standard library, whose faults are made on purpose."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from load_tests.arrivals import arrivals
from load_tests.generator import Generator, http_request, percentile


class Answering(BaseHTTPRequestHandler):
    """Answers with the request's own body; a body of "stall", "refuse" or "drop" gets just that."""

    protocol_version = "HTTP/1.1"
    stalled = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if body == b"drop":
            self.close_connection = True
            return
        if body == b"stall":
            self.stalled.wait(0.5)
        self.send_response(429 if body == b"refuse" else 200)
        if body == b"chunked":
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"7\r\nchunked\r\n0\r\n\r\n")
            return
        if body == b"close":
            self.send_header("connection", "close")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def generator(port: int, *bodies: bytes) -> Generator:
    return Generator(("127.0.0.1", port), [http_request("/", body, port) for body in bodies])


def test_a_closed_loop_gets_every_answer_to_its_own_request() -> None:
    with answering() as port:
        bodies = [b"one", b"chunked", b"three" * 1000, b"close"]
        outcome = generator(port, *bodies).closed(3, 0.3, keep_responses=True)
    assert outcome.lost == 0
    assert {sample.index for sample in outcome.samples} == {0, 1, 2, 3}
    assert all(bodies[sample.index] in sample.response for sample in outcome.samples)


def test_refusals_keep_their_status_and_broken_answers_are_lost() -> None:
    with answering() as port:
        outcome = generator(port, b"fine", b"refuse", b"drop").closed(2, 0.3)
    assert {sample.status for sample in outcome.samples} == {200, 429}
    assert outcome.lost > 0


def test_an_open_loop_sends_everything_on_its_schedule() -> None:
    with answering() as port:
        outcome = generator(port, b"fine").open(arrivals("constant", 100), 0.495)
    assert len(outcome.samples) == 50
    assert outcome.lost == 0


def test_a_late_generator_still_sends_what_was_due_before_the_end() -> None:
    def stalling_after_the_first() -> Iterator[float]:
        yield 0.0
        time.sleep(0.3)
        yield from (0.1, 1e9)

    with answering() as port:
        outcome = generator(port, b"fine").open(stalling_after_the_first(), 0.2)
    assert len(outcome.samples) == 2
    assert outcome.samples[1].seconds >= 0.2, "latency counts from when it was due"


def test_a_stalled_server_cannot_hide_its_queue_from_an_open_loop() -> None:
    """One slow answer must be seen in its own latency, and others sent on time beside it."""
    with answering() as port:
        bodies = [b"stall", *[b"fine"] * 19]
        outcome = generator(port, *bodies).open(arrivals("constant", 50), 0.39)
    seconds = {sample.index: sample.seconds for sample in outcome.samples}
    assert len(seconds) == 20
    assert seconds[0] >= 0.5
    assert sorted(outcome.samples, key=lambda sample: sample.ended_at)[-1].index == 0


def test_latency_counts_from_the_intended_send_time() -> None:
    """Two requests that were due at the start, one connection's wait apart."""
    with answering() as port:
        due = itertools.chain([0.0, 0.0], itertools.repeat(1e9))
        outcome = generator(port, b"fine").open(due, 0.3)
    assert [sample.intended_at for sample in outcome.samples[:1]] == [
        outcome.samples[1].intended_at
    ]


@pytest.mark.parametrize(("percent", "expected"), [(50, 2), (75, 3), (99, 4), (100, 4), (1, 1)])
def test_percentiles_are_values_that_occurred(percent: float, expected: float) -> None:
    assert percentile([4, 2, 1, 3], percent) == expected


def test_requests_are_whole_http() -> None:
    body = json.dumps({"inputs": "A lovely film."}).encode()
    head, _, rest = http_request("/predict", body, 8000).partition(b"\r\n\r\n")
    assert rest == body
    assert b"content-length: %d" % len(body) in head
