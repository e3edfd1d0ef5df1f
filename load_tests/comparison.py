"""The service and its peers side by side: same bundle, tokenizer, texts, load and machine.

Rounds are interleaved, and one server lives at a time: it is started, its answers are checked, it
is warmed up, measured under every load, and ended. So a noisy minute strikes all of them, and none
disturbs another.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from load_tests.ceiling import measure_bare_call, measure_ceiling
from load_tests.generator import Generator, http_request, percentile
from load_tests.peer import (
    Peer,
    PeerMissing,
    Precision,
    command_of,
    environment_of,
    installed_version,
    prepare_environment,
)
from load_tests.reference_answers import ReferenceAnswers
from load_tests.results import Results, begin_results
from load_tests.server_process import ServerError, ServerProcess, free_port
from load_tests.texts import MIXES, TEXTS, LoadText, Mix, generate
from load_tests.wrk import WrkError, run_wrk, wrk_is_installed

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


def body_of(text: str, peer: Peer) -> bytes:
    return json.dumps({"inputs": [text] if peer.body == "list" else text}).encode("ascii")


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def ask(port: int, body: bytes, seconds_limit: float = 10.0) -> object:
    """One request; None when it is not answered with 200 and JSON."""
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
        peers: Sequence[Peer],
        precisions: Sequence[Precision],
        loads: Sequence[Load],
        rounds: int,
        seconds: float,
        environments: Path,
        cores: int,
    ) -> None:
        self._bundle = bundle
        self._peers = peers
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
                # Every round begins with another peer, so that none is always the first.
                shift = number % max(1, len(self._peers))
                for peer in (*self._peers[shift:], *self._peers[:shift]):
                    if peer.name in self._executables:
                        self._measure_peer(number, precision, peer)
        return {
            **results,
            "took_seconds": round(time.time() - started_at),
            "bundle_digest": self._references[self._precisions[0]].bundle_digest,
            "options": {
                "rounds": self._rounds,
                "seconds": self._seconds,
                "texts": TEXTS,
                "generator": "wrk for short texts" if wrk_is_installed() else "python",
            },
            "peers": self._described,
            "measurements": self._measurements,
            "ceilings": self._ceilings,
            "bare_calls": self._bare_calls,
        }

    def _prepare(self) -> None:
        for peer in self._peers:
            entry: dict[str, object] = {
                "name": peer.name,
                "framework": peer.framework,
                "configuration": peer.configuration,
            }
            self._described.append(entry)
            if peer.requirement:
                say(f"{peer.name}: preparing its environment")
            try:
                executables = prepare_environment(peer, self._environments)
            except PeerMissing as error:
                entry["missing"] = str(error)
                say(f"{peer.name}: left out: {error}")
                continue
            entry["version"] = installed_version(peer, executables)
            self._executables[peer.name] = executables

    def _measure_bare(self, number: int, precision: Precision) -> None:
        loaded = {load.mix for load in self._loads}
        for mix in (mix for mix in MIXES if mix in loaded):
            texts = [text.text for text in self._texts[mix]]
            for processes in sorted({1, self._cores}):
                ceiling = measure_ceiling(self._bundle, precision, texts, processes, self._seconds)
                self._ceilings.append(
                    {
                        **{"round": number, "precision": precision, "mix": mix},
                        **{"processes": processes, **asdict(ceiling)},
                    }
                )
                self._report(
                    number,
                    precision,
                    f"bare backend, {processes} processes",
                    mix,
                    f"{ceiling.texts_per_second:,.0f}/s",
                )
        texts = [text.text for text in self._texts["short"]]
        bare_call = measure_bare_call(self._bundle, precision, texts)
        self._bare_calls.append({"round": number, "precision": precision, **asdict(bare_call)})

    def _measure_peer(self, number: int, precision: Precision, peer: Peer) -> None:
        port = free_port()
        command = command_of(peer, self._executables[peer.name], port)
        environment = environment_of(peer, self._bundle, precision, self._labels, port)
        probe = body_of("A lovely film.", peer)
        failure = None
        try:
            with ServerProcess(command, environment, lambda: ask(port, probe) is not None):
                failure = self._wrong_answer(peer, precision, port)
                if failure is None:
                    self._warm_up(peer, port)
                    for load in self._loads:
                        self._measure(number, precision, peer, load, port)
        except (ServerError, WrkError, OSError) as error:
            failure = f"{type(error).__name__}: {error}"
        if failure is not None:
            self._measurements.append(
                {"round": number, "precision": precision, "peer": peer.name, "failure": failure}
            )
            self._report(number, precision, peer.name, "failed", failure)

    def _wrong_answer(self, peer: Peer, precision: Precision, port: int) -> str | None:
        if peer.framework == "echo":
            return None
        reference = self._references[precision]
        for text in self._texts["mixed"][:CHECKED_TEXTS]:
            answer = ask(port, body_of(text.text, peer))
            if peer.body == "list" and isinstance(answer, list) and len(answer) == 1:
                answer = answer[0]
            problem = reference.problem(text.text, answer)
            if problem is not None:
                return f"wrong answer: {problem}"
        return None

    def _warm_up(self, peer: Peer, port: int) -> None:
        for load in (Load("mixed", 64), Load("short", 1)):
            requests = self._requests(peer, self._texts[load.mix], port)
            Generator(("127.0.0.1", port), requests).closed(load.clients, WARM_UP_SECONDS)

    def _requests(self, peer: Peer, texts: Sequence[LoadText], port: int) -> list[bytes]:
        return [http_request("/predict", body_of(text.text, peer), port) for text in texts]

    def _measure(
        self, number: int, precision: Precision, peer: Peer, load: Load, port: int
    ) -> None:
        texts = self._texts[load.mix]
        entry: dict[str, object] = {
            **{"round": number, "precision": precision, "peer": peer.name},
            **{"mix": load.mix, "clients": load.clients},
        }
        if wrk_is_installed() and load.mix == "short":
            bodies = [body_of(text.text, peer) for text in texts]
            result = run_wrk(port, bodies, load.clients, self._seconds)
            entry |= {**asdict(result), "generator": "wrk"}
        else:
            # wrk can't tell whose answer it was; the latency of the short ones is asked for.
            requests = self._requests(peer, texts, port)
            outcome = Generator(("127.0.0.1", port), requests).closed(load.clients, self._seconds)
            answered = [s for s in outcome.samples if 200 <= s.status < 300]
            all_ms = [sample.seconds * 1e3 for sample in answered]
            short_ms = [s.seconds * 1e3 for s in answered if texts[s.index].kind == "short"]
            entry |= {
                "requests_per_second": len(answered) / outcome.seconds,
                "refused": len(outcome.samples) - len(answered),
                "broken": outcome.lost,
                **{f"p{rank}_ms": percentile(all_ms, rank) for rank in (50, 90, 99)},
                "short_p50_ms": percentile(short_ms, 50),
                "short_p99_ms": percentile(short_ms, 99),
                "generator_cores": outcome.generator_cores,
                "generator": "python",
            }
        self._measurements.append(entry)
        refused = f", {entry['refused']} refused" if entry["refused"] else ""
        self._report(
            number,
            precision,
            peer.name,
            load.name,
            f"{entry['requests_per_second']:,.0f}/s, p50 {entry['p50_ms']:.2f} ms, "
            f"p99 {entry['p99_ms']:.2f} ms{refused}",
        )

    def _report(self, number: int, precision: str, subject: str, load: str, finding: str) -> None:
        say(f"[{number}/{self._rounds}] {precision}  {subject:<24} {load:<9} {finding}")
