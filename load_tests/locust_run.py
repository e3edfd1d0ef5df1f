"""One locust run in its own processes, and its outcome."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from load_tests.precision import Precision
from load_tests.progress import say
from load_tests.reference_answers import ReferenceAnswers
from load_tests.scenario import TEXTS_OF
from load_tests.server_process import ROOT, free_port
from load_tests.texts import Mix

BUSY_SHARE = 0.85
END_SECONDS_LIMIT = 90.0


class LocustError(Exception):
    """locust did not run to its end; the message ends with its last output."""


@dataclass(frozen=True, slots=True)
class LocustRun:
    """One scenario against one service."""

    url: str
    scenario: str
    bundle: Path
    precision: Precision = "fp32"
    mix: Mix = "mixed"
    clients: int = 32
    rate: float = 100.0
    seconds: float = 20.0
    processes: int = 2

    def run(self) -> dict[str, Any]:
        """The summary that ``tally.write_summary`` wrote, with locust's own use of cores.

        Raises:
            LocustError: locust failed, sent nothing or did not end.
        """
        with (
            tempfile.NamedTemporaryFile(suffix=".json") as summary,
            tempfile.NamedTemporaryFile(suffix=".json") as answers,
            tempfile.NamedTemporaryFile(suffix=".log") as log,
        ):
            texts = (text.text for known in TEXTS_OF.values() for text in known)
            ReferenceAnswers(self.bundle, self.precision).save(texts, Path(answers.name))
            process = subprocess.Popen(
                self._command(summary.name, answers.name),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                busiest = self._watch(process)
            finally:
                _end(process)
            written = Path(summary.name).read_text(encoding="utf-8")
            found: dict[str, Any] = json.loads(written or "{}")
            if not found.get("requests"):
                said = Path(log.name).read_text(encoding="utf-8", errors="replace").strip()
                raise LocustError(f"locust sent nothing and ended: {said[-500:]}")
        found |= {
            "scenario": self.scenario,
            "busiest_generator_core": round(busiest, 2),
            "generator_is_bottleneck": busiest > BUSY_SHARE,
        }
        return found

    def _command(self, summary: str, answers: str) -> list[str]:
        port = str(free_port())  # locust's own default would allow one run per machine
        return [
            *(sys.executable, "-m", "locust", "--locustfile", "load_tests/locustfile.py"),
            *("--headless", "--only-summary", "--host", self.url, "--scenario", self.scenario),
            *("--processes", str(self.processes), "--generators", str(self.processes)),
            *("--mix", self.mix, "--clients", str(self.clients), "--rate", str(self.rate)),
            *("--duration", str(self.seconds), "--answers", answers, "--summary", summary),
            *("--master-bind-host", "127.0.0.1", "--master-bind-port", port),
            *("--master-port", port, "--stop-timeout", "30"),
            *("--exit-code-on-error", "0"),
        ]

    def _watch(self, process: subprocess.Popen[bytes]) -> float:
        """The largest share of a core that any locust process used over two seconds."""
        stop_at = time.monotonic() + self.seconds + END_SECONDS_LIMIT
        started_at, busiest = time.monotonic(), 0.0
        before: dict[int, float] = {}
        while process.poll() is None:
            if time.monotonic() > stop_at:
                raise LocustError(f"locust did not end within {END_SECONDS_LIMIT:.0f} s")
            try:
                process.wait(2.0)
            except subprocess.TimeoutExpired:
                after = _processor_seconds(process.pid)
                shares = [(after[pid] - before[pid]) / 2.0 for pid in after if pid in before]
                # Starting up and importing are not load.
                if time.monotonic() - started_at > 6.0:
                    busiest = max([busiest, *shares])
                before = after
                elapsed = time.monotonic() - started_at
                say(f"  {self.scenario}: {elapsed:.0f} s of about {self.seconds:.0f} s")
        return busiest


def _process_tree(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _processor_seconds(pid: int) -> dict[int, float]:
    seconds = {}
    for process in _process_tree(pid):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        seconds[process.pid] = times.user + times.system
    return seconds


def _end(process: subprocess.Popen[bytes]) -> None:
    for member in _process_tree(process.pid):
        try:
            member.kill()
        except psutil.Error:
            continue
    process.wait(10)
