"""Users of the service who check what they get back, for locust.

``python -m load_tests run`` starts it with several processes and judges the outcome.

The closed scenarios have every kind of user wait for an answer before asking again. The open ones
send at a rate whatever happens, and count latency from the intended send time. A greenlet wakes to
the millisecond only, so finer latencies are for ``python -m load_tests capacity``.
"""

import json
import random
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.pool import Pool
from locust import FastHttpUser, LoadTestShape, User, constant, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser

from load_tests.arrivals import arrivals
from load_tests.generator import http_request
from load_tests.reference_answers import KnownAnswers
from load_tests.scenario import SCENARIOS, TEXTS_OF, Scenario
from load_tests.tally import tally, write_summary
from load_tests.texts import Mix

SLOW_READ_BYTES = 2048
SLOW_READ_SECONDS = 0.02
SOCKET_SECONDS_LIMIT = 30.0
IN_FLIGHT_LIMIT = 1000
SPAWN_RATE = 100.0  # users per second
REPORT_SECONDS = 4.0  # locust processes report every three

BAD_BODIES = {
    "malformed JSON": (b'{"inputs": ', 422),
    "a number": (b'{"inputs": 7}', 422),
    "an empty list": (b'{"inputs": []}', 422),
    "a blank text": (b'{"inputs": ["fine", "  "]}', 422),
    "an unknown field": (b'{"inputs": "fine", "colour": "red"}', 422),
    "too many texts": (json.dumps({"inputs": ["fine"] * 257}).encode(), 413),
    "too many tokens": (json.dumps({"inputs": "word " * 9000}).encode(), 422),
}


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="closed")
    parser.add_argument("--mix", choices=sorted(TEXTS_OF), default="mixed")
    parser.add_argument("--clients", type=int, default=32, help="of a closed scenario")
    parser.add_argument("--rate", type=float, default=100.0, help="of an open scenario, per second")
    parser.add_argument("--duration", type=float, default=30.0, help="seconds")
    parser.add_argument("--generators", type=int, default=1, help="locust processes")
    parser.add_argument("--answers", required=True, help="file that KnownAnswers loads")
    parser.add_argument("--summary", default="", help="file that the outcome is written to")


class Answers:
    """The engine's own answers, computed before the load starts."""

    known: KnownAnswers


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _load_answers(environment: Environment, **_: Any) -> None:
    Answers.known = KnownAnswers.load(Path(_options(environment).answers))


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _write_summary(environment: Environment, **_: Any) -> None:
    if _options(environment).summary:
        write_summary(environment, Path(_options(environment).summary))


def _options(environment: Environment | None) -> Any:
    """Locust's own options with those above; locust types them as possibly missing."""
    return environment.parsed_options if environment is not None else None


class Schedule(LoadTestShape):
    """How many users of which kind there are at a time."""

    _empty_since = 0.0

    def tick(self) -> tuple[int, float, list[type[User]] | None] | None:
        assert self.runner is not None
        options = _options(self.runner.environment)
        scenario: Scenario = SCENARIOS[options.scenario]
        elapsed_seconds: float = self.get_run_time()  # type: ignore[no-untyped-call]
        if scenario.arrivals is not None:
            # Open users end by themselves once all that they sent has been answered.
            if elapsed_seconds > options.duration + SOCKET_SECONDS_LIMIT or (
                elapsed_seconds > options.duration and not self.runner.user_count
            ):
                return self._wind_down(elapsed_seconds)
            return options.generators, SPAWN_RATE, [OpenLoopUser]
        elapsed = elapsed_seconds / options.duration
        if elapsed >= 1:
            return self._wind_down(elapsed_seconds)
        # Fewer users than the sum of the weights would leave some kinds out.
        fewest = sum(user.weight for user in CLOSED_USERS)
        users = max(fewest, round(options.clients * scenario.level(elapsed)))
        return users, SPAWN_RATE, list(CLOSED_USERS)

    def _wind_down(self, elapsed_seconds: float) -> tuple[int, float, list[type[User]]] | None:
        """Let every user get its last answer and every process report it before the end."""
        assert self.runner is not None
        if self.runner.user_count:
            self._empty_since = elapsed_seconds
        self._empty_since = self._empty_since or elapsed_seconds
        over = elapsed_seconds - self._empty_since > REPORT_SECONDS
        return None if over else (0, SPAWN_RATE, list(CLOSED_USERS))


class CheckingUser(FastHttpUser):
    abstract = True
    connection_timeout = network_timeout = SOCKET_SECONDS_LIMIT
    wait_time = constant(0)
    concurrency = 1

    def on_start(self) -> None:
        self.random_source = random.Random(id(self))
        self.port = urlsplit(str(self.host)).port or 80

    def ask(self, kind: str, texts: list[str], batch: bool, intended_at: float = 0.0) -> None:
        """Ask and compare each answer with the engine's own."""
        body = json.dumps({"inputs": texts if batch else texts[0]}).encode("ascii")
        headers = {"content-type": "application/json"}
        with self.client.post(
            "/predict", data=body.decode("ascii"), headers=headers, name=kind, catch_response=True
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
            problem = Answers.known.problem(text, row)
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


class ShortTextUser(CheckingUser):
    weight = 6

    @task
    def one_sentence(self) -> None:
        self.ask("short", self.choose("short"), batch=False)


class LongTextUser(CheckingUser):
    weight = 1

    @task
    def one_review(self) -> None:
        self.ask("long", self.choose("long"), batch=False)


class MixedTextUser(CheckingUser):
    weight = 4

    @task
    def one_text(self) -> None:
        self.ask("mixed", self.choose("mixed"), batch=False)


class ClientBatchUser(CheckingUser):
    weight = 1

    @task
    def several_texts(self) -> None:
        self.ask("client batch", self.choose("mixed", self.random_source.randint(2, 16)), True)


class BadInputUser(CheckingUser):
    """Expects to be refused, with the right status and in the one form that errors have."""

    weight = 1
    wait_time = constant(0.05)

    @task
    def nonsense(self) -> None:
        kind = self.random_source.choice(list(BAD_BODIES))
        body, expected = BAD_BODIES[kind]
        headers = {"content-type": "application/json"}
        with self.client.post(
            "/predict",
            data=body.decode("ascii"),
            headers=headers,
            name="bad input",
            catch_response=True,
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
    """Asks for much and takes it in small bites."""

    weight = 1
    wait_time = constant(0.1)

    @task
    def sip(self) -> None:
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
    """Asks and leaves before the answer."""

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
    """One per locust process: sends its share of the rate on time, whoever has been answered."""

    concurrency = IN_FLIGHT_LIMIT

    @task
    def send_on_schedule(self) -> None:
        options = _options(self.environment)
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
        tally["open users done"] += 1
        raise StopUser


CLOSED_USERS: list[type[CheckingUser]] = [
    *(ShortTextUser, LongTextUser, MixedTextUser, ClientBatchUser),
    *(BadInputUser, SlowReaderUser, DisconnectingUser),
]
