"""The service and its baselines side by side: same bundle, tokenizer, texts, load and machine.

Rounds are interleaved, and only one server runs at a time: it is started, its answers are checked,
it is warmed up, measured under every load, and stopped. So noise on the machine affects all of them
alike, and none disturbs another.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from load_tests.ceiling import measure_bare_call, measure_ceiling
from load_tests.environment import EnvironmentMissing, installed_version, prepare_environment
from load_tests.generator import Generator, http_request, percentile
from load_tests.precision import Precision
from load_tests.progress import say
from load_tests.reference_answers import ReferenceAnswers
from load_tests.results import Results, begin_results
from load_tests.server import Server, command_of, environment_of
from load_tests.server_process import ServerError, ServerProcess, free_port
from load_tests.texts import MIXES, TEXTS, Mix, generate

WARM_UP_SECONDS = 1.5
CHECKED_TEXTS = 8


@dataclass(frozen=True, slots=True)
class Load:
    mix: Mix
    clients: int

    @property
    def name(self) -> str:
        return f"{self.mix}×{self.clients}"

    @classmethod
    def parse(cls, name: str) -> "Load":
        """From ``mixed:64``."""
        mixes: dict[str, Mix] = {mix: mix for mix in MIXES}
        mix, _, clients = name.partition(":")
        if mix not in mixes or not clients.isdigit() or int(clients) < 1:
            raise ValueError(f"{name!r} is not a load such as mixed:64")
        return cls(mixes[mix], int(clients))


LOADS = tuple(Load(mix, clients) for clients in (1, 64) for mix in ("short", "mixed"))


def body_of(text: str, server: Server) -> bytes:
    return json.dumps({"inputs": [text] if server.body == "list" else text}).encode("ascii")


def ask(port: int, body: bytes, seconds_limit: float = 10.0) -> object:
    """The answer to one request; None unless it is 200 with JSON."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", body, {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=seconds_limit) as response:
            return json.load(response)
    except (OSError, ValueError, urllib.error.HTTPError):
        return None


class Comparison:
    """Collects what becomes the results file."""

    def __init__(
        self,
        bundle: Path,
        servers: Sequence[Server],
        precisions: Sequence[Precision],
        loads: Sequence[Load],
        rounds: int,
        seconds: float,
        environments: Path,
        cores: int,
    ) -> None:
        self._bundle = bundle
        self._servers = servers
        self._precisions = precisions
        self._loads = loads
        self._rounds = rounds
        self._seconds = seconds
        self._environments = environments
        self._cores = cores
        self._references = {
            precision: ReferenceAnswers(bundle, precision) for precision in precisions
        }
        self._labels = self._references[precisions[0]].labels
        self._texts = {mix: generate(mix) for mix in MIXES}
        self._executables: dict[str, Path] = {}
        self._described: list[dict[str, object]] = []
        self._measurements: list[dict[str, object]] = []
        self._ceilings: list[dict[str, object]] = []
        self._bare_calls: list[dict[str, object]] = []

    def run(self) -> Results:
        started_at = time.time()
        results = begin_results()
        self._prepare()
        for number in range(1, self._rounds + 1):
            for precision in self._precisions:
                self._measure_bare(number, precision)
                # Every round begins with another server, so that none is always the first.
                shift = number % len(self._servers)
                for server in (*self._servers[shift:], *self._servers[:shift]):
                    if server.name in self._executables:
                        self._measure_server(number, precision, server)
        return {
            **results,
            "took_seconds": round(time.time() - started_at),
            "bundle_digest": self._references[self._precisions[0]].bundle_digest,
            "options": {"rounds": self._rounds, "seconds": self._seconds, "texts": TEXTS},
            "servers": self._described,
            "measurements": self._measurements,
            "ceilings": self._ceilings,
            "bare_calls": self._bare_calls,
        }

    def _prepare(self) -> None:
        for server in self._servers:
            entry: dict[str, object] = {
                "name": server.name,
                "framework": server.framework,
                "configuration": server.configuration,
            }
            self._described.append(entry)
            if server.requirement:
                say(f"{server.name}: preparing its environment")
            try:
                executables = prepare_environment(server, self._environments)
            except EnvironmentMissing as error:
                entry["missing"] = str(error)
                say(f"{server.name}: left out: {error}")
                continue
            entry["version"] = installed_version(server, executables)
            self._executables[server.name] = executables

    def _measure_bare(self, number: int, precision: Precision) -> None:
        loaded = {load.mix for load in self._loads}
        for mix in (mix for mix in MIXES if mix in loaded):
            texts = [text.text for text in self._texts[mix]]
            ceiling = measure_ceiling(self._bundle, precision, texts, self._cores, self._seconds)
            self._ceilings.append(
                {
                    **{"round": number, "precision": precision, "mix": mix},
                    **{"processes": self._cores, **asdict(ceiling)},
                }
            )
            subject = f"bare backend, {self._cores} processes"
            self._report(number, precision, subject, mix, f"{ceiling.texts_per_second:,.0f}/s")
        texts = [text.text for text in self._texts["short"]]
        bare_call = measure_bare_call(self._bundle, precision, texts)
        self._bare_calls.append({"round": number, "precision": precision, **asdict(bare_call)})

    def _measure_server(self, number: int, precision: Precision, server: Server) -> None:
        port = free_port()
        command = command_of(server, self._executables[server.name], port)
        environment = environment_of(server, self._bundle, precision, self._labels, port)
        probe = body_of("A lovely film.", server)
        failure = None
        try:
            with ServerProcess(command, environment, lambda: ask(port, probe) is not None):
                failure = self._wrong_answer(server, precision, port)
                if failure is None:
                    self._warm_up(server, port)
                    for load in self._loads:
                        self._measure(number, precision, server, load, port)
        except (ServerError, OSError) as error:
            failure = f"{type(error).__name__}: {error}"
        if failure is not None:
            self._measurements.append(
                {"round": number, "precision": precision, "server": server.name, "failure": failure}
            )
            self._report(number, precision, server.name, "failed", failure)

    def _wrong_answer(self, server: Server, precision: Precision, port: int) -> str | None:
        if server.framework == "echo":
            return None
        reference = self._references[precision]
        for text in self._texts["mixed"][:CHECKED_TEXTS]:
            answer = ask(port, body_of(text.text, server))
            if server.body == "list" and isinstance(answer, list) and len(answer) == 1:
                answer = answer[0]
            problem = reference.problem(text.text, answer)
            if problem is not None:
                return f"wrong answer: {problem}"
        return None

    def _warm_up(self, server: Server, port: int) -> None:
        for load in (Load("mixed", 64), Load("short", 1)):
            generator = self._generator(server, load.mix, port)
            generator.closed(load.clients, min(WARM_UP_SECONDS, self._seconds))

    def _generator(self, server: Server, mix: Mix, port: int) -> Generator:
        bodies = [body_of(text.text, server) for text in self._texts[mix]]
        requests = [http_request("/predict", body, port) for body in bodies]
        return Generator(("127.0.0.1", port), requests)

    def _measure(
        self, number: int, precision: Precision, server: Server, load: Load, port: int
    ) -> None:
        texts = self._texts[load.mix]
        outcome = self._generator(server, load.mix, port).closed(load.clients, self._seconds)
        answered = [sample for sample in outcome.samples if 200 <= sample.status < 300]
        all_ms = [sample.seconds * 1e3 for sample in answered]
        short_ms = [
            sample.seconds * 1e3 for sample in answered if texts[sample.index].kind == "short"
        ]
        entry: dict[str, object] = {
            **{"round": number, "precision": precision, "server": server.name},
            **{"mix": load.mix, "clients": load.clients},
            "requests_per_second": len(answered) / outcome.seconds,
            "refused": len(outcome.samples) - len(answered),
            "broken": outcome.lost,
            **{f"p{rank}_ms": percentile(all_ms, rank) for rank in (50, 90, 99)},
            "short_p99_ms": percentile(short_ms, 99),
            "generator_cores": outcome.generator_cores,
        }
        self._measurements.append(entry)
        refused = f", {entry['refused']} refused" if entry["refused"] else ""
        self._report(
            number,
            precision,
            server.name,
            load.name,
            f"{entry['requests_per_second']:,.0f}/s, p50 {entry['p50_ms']:.2f} ms, "
            f"p99 {entry['p99_ms']:.2f} ms{refused}",
        )

    def _report(self, number: int, precision: str, subject: str, load: str, finding: str) -> None:
        say(f"[{number}/{self._rounds}] {precision}  {subject:<24} {load:<9} {finding}")
