"""Users of the service who check what they get back, for locust.

The closed scenarios have every kind of user wait for an answer before asking again. The open ones
send at a rate regardless of answers, and count latency from the intended send time. A greenlet
wakes to the millisecond only, so finer latencies are for ``python -m load_tests capacity``.
"""

import json
import random
import socket
import time
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.pool import Pool
from locust import FastHttpUser, constant, task
from locust.env import Environment
from locust.exception import StopUser

from load_tests.arrivals import arrivals
from load_tests.generator import http_request
from load_tests.reference_answers import KnownAnswers
from load_tests.scenario import SCENARIOS, TEXTS_OF
from load_tests.tally import tally
from load_tests.texts import Mix

SLOW_READ_BYTES = 2048
SLOW_READ_SECONDS = 0.02
SOCKET_SECONDS_LIMIT = 30.0
IN_FLIGHT_LIMIT = 1000
JSON = {"content-type": "application/json"}

BAD_BODIES = {
    "malformed JSON": ('{"inputs": ', 422),
    "a number": ('{"inputs": 7}', 422),
    "an empty list": ('{"inputs": []}', 422),
    "a blank text": ('{"inputs": ["fine", "  "]}', 422),
    "an unknown field": ('{"inputs": "fine", "colour": "red"}', 422),
    "too many texts": (json.dumps({"inputs": ["fine"] * 257}), 413),
    "too many tokens": (json.dumps({"inputs": "word " * 9000}), 422),
}


def options_of(environment: Environment | None) -> Any:
    """Locust's own options and those of the locustfile; locust types them as possibly missing."""
    return environment.parsed_options if environment is not None else None


@cache
def known_answers(path: Path) -> KnownAnswers:
    """The engine's own answers, read once for all users of this process."""
    return KnownAnswers.load(path)


class CheckingUser(FastHttpUser):
    abstract = True
    connection_timeout = network_timeout = SOCKET_SECONDS_LIMIT
    wait_time = constant(0)
    concurrency = 1

    def on_start(self) -> None:
        self.random_source = random.Random(id(self))
        self.port = urlsplit(str(self.host)).port or 80
        self.known = known_answers(Path(options_of(self.environment).answers))

    def ask(self, kind: str, texts: list[str], batch: bool, intended_at: float = 0.0) -> None:
        """Ask and compare each answer with the engine's own."""
        body = json.dumps({"inputs": texts if batch else texts[0]})
        with self.client.post(
            "/predict", data=body, headers=JSON, name=kind, catch_response=True
        ) as response:
            if intended_at:
                waited = time.perf_counter() - intended_at
                response.request_meta["response_time"] = waited * 1e3
            tally[f"code {response.status_code}"] += 1
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
                return
            problem = self.problem(texts, response.text, batch)
            if problem is not None:
                tally["wrong"] += 1
                response.failure(f"wrong answer: {problem}")

    def problem(self, texts: list[str], answer: str | None, batch: bool) -> str | None:
        try:
            rows = json.loads(answer or "")
        except ValueError:
            return "not JSON"
        rows = rows if batch else [rows]
        if not isinstance(rows, list) or len(rows) != len(texts):
            return "not one answer for each text"
        for text, row in zip(texts, rows, strict=True):
            problem = self.known.problem(text, row)
            if problem is not None:
                return problem
        return None

    def choose(self, mix: Mix, count: int = 1) -> list[str]:
        return [self.random_source.choice(TEXTS_OF[mix]).text for _ in range(count)]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), SOCKET_SECONDS_LIMIT)

    def report(self, kind: str, started_at: float, length: int, error: Exception | None) -> None:
        self.environment.events.request.fire(
            request_type="POST",
            name=kind,
            response_time=(time.perf_counter() - started_at) * 1e3,
            response_length=length,
            exception=error,
            context={},
        )


class OneTextUser(CheckingUser):
    abstract = True
    mix: Mix

    @task
    def one_text(self) -> None:
        self.ask(self.mix, self.choose(self.mix), batch=False)


class ShortTextUser(OneTextUser):
    weight, mix = 6, "short"


class LongTextUser(OneTextUser):
    weight, mix = 1, "long"


class MixedTextUser(OneTextUser):
    weight, mix = 4, "mixed"


class ClientBatchUser(CheckingUser):
    weight = 1

    @task
    def several_texts(self) -> None:
        self.ask("client batch", self.choose("mixed", self.random_source.randint(2, 16)), True)


class BadInputUser(CheckingUser):
    """Expects a refusal with the right status and in the one form that errors have."""

    weight = 1
    wait_time = constant(0.05)

    @task
    def nonsense(self) -> None:
        kind = self.random_source.choice(list(BAD_BODIES))
        body, expected = BAD_BODIES[kind]
        with self.client.post(
            "/predict", data=body, headers=JSON, name="bad input", catch_response=True
        ) as response:
            tally[f"code {response.status_code}"] += 1
            try:
                error = json.loads(response.text or "")
            except ValueError:
                error = {}
            if response.status_code != expected:
                response.failure(f"{kind}: status {response.status_code}, not {expected}")
            elif set(error) != {"error", "error_type", "request_id"}:
                tally["wrong"] += 1
                response.failure(f"{kind}: not the form of errors")
            else:
                response.success()


class SlowReaderUser(CheckingUser):
    """Asks for many answers and reads them slowly."""

    weight = 1
    wait_time = constant(0.1)

    @task
    def read_slowly(self) -> None:
        texts = self.choose("short", 64)
        body = json.dumps({"inputs": texts}).encode("ascii")
        started_at, received, error = time.perf_counter(), b"", None
        try:
            with self.connect() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_READ_BYTES)
                request = http_request("/predict", body, self.port)
                connection.sendall(request.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
                while chunk := connection.recv(SLOW_READ_BYTES):
                    received += chunk
                    gevent.sleep(SLOW_READ_SECONDS)
            status = int(received[9:12])
            tally[f"code {status}"] += 1
            answer = received.partition(b"\r\n\r\n")[2].decode()
            problem = f"status {status}" if status != 200 else self.problem(texts, answer, True)
            if problem is not None:
                tally["wrong"] += 1
                error = ValueError(f"wrong answer: {problem}")
        except (OSError, ValueError) as caught:
            error = caught if isinstance(caught, ValueError) else ValueError(str(caught))
        self.report("slow reader", started_at, len(received), error)


class DisconnectingUser(CheckingUser):
    """Asks and disconnects before the answer."""

    weight = 1
    wait_time = constant(0.1)

    @task
    def leave(self) -> None:
        body = json.dumps({"inputs": self.choose("long", 4)}).encode("ascii")
        started_at, error = time.perf_counter(), None
        try:
            with self.connect() as connection:
                connection.sendall(http_request("/predict", body, self.port))
                tally["disconnected"] += 1
                gevent.sleep(self.random_source.uniform(0.002, 0.01))
        except OSError as caught:
            error = caught
        self.report("disconnect", started_at, 0, error)


class OpenLoopUser(CheckingUser):
    """One per locust process: sends its share of the rate on time, without awaiting answers."""

    concurrency = IN_FLIGHT_LIMIT

    @task
    def send_on_schedule(self) -> None:
        options = options_of(self.environment)
        pattern = SCENARIOS[options.scenario].arrivals
        assert pattern is not None
        index = getattr(self.environment.runner, "worker_index", 0)
        texts = TEXTS_OF[options.mix]
        in_flight = Pool(IN_FLIGHT_LIMIT)
        started_at = time.perf_counter()
        for offset in arrivals(pattern, options.rate / options.generators, seed=index):
            if offset > options.duration:
                break
            gevent.sleep(max(0.0, started_at + offset - time.perf_counter()))
            text = self.random_source.choice(texts)
            in_flight.spawn(self.ask, text.kind, [text.text], False, started_at + offset)
        in_flight.join(SOCKET_SECONDS_LIMIT)
        raise StopUser
