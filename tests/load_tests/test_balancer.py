"""Real nginx with the shipped configuration in front of three real services."""

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from load_tests.generator import Generator, Outcome, http_request
from tests.e2e.running_service import RunningService, free_port, running_service, wait_until
from tests.e2e.system_tool import system_tool

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "balancer" / "nginx.conf"
TEXTS = ["A lovely film.", "Dreadful, from the first minute to the last. " * 40, "It works."]


@contextlib.contextmanager
def balancer(directory: Path, replicas: list[RunningService]) -> Iterator[int]:
    """The shipped nginx.conf; only the replicas and where it listens and writes differ."""
    port = free_port()
    shipped = CONFIGURATION.read_text()
    [(line, options)] = re.findall(r"(server service:8000 (.*);)", shipped)
    servers = "".join(f"server 127.0.0.1:{replica.port} {options};" for replica in replicas)
    assert "listen 8080;" in shipped
    configuration = directory / "nginx.conf"
    configuration.write_text(
        shipped.replace(line, servers)
        .replace("listen 8080;", f"listen 127.0.0.1:{port};")
        .replace("/tmp/", f"{directory}/")
    )
    command = [system_tool("nginx"), "-p", str(directory), "-c", str(configuration)]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*command, "-g", "daemon off;"], stdout=log, stderr=log)
        try:
            written = (directory / "nginx.pid").exists
            wait_until(written, "nginx runs")
            yield port
        finally:
            process.terminate()
            process.wait(10)


def test_no_request_fails_while_one_replica_is_killed_and_one_is_drained(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        replicas = [stack.enter_context(running_service(wait=False, workers=1)) for _ in range(3)]
        for replica in replicas:
            replica.wait_until_ready()
        port = stack.enter_context(balancer(tmp_path, replicas))
        requests = [
            http_request("/predict", b'{"inputs": "%s"}' % text.encode(), port) for text in TEXTS
        ]
        outcomes: list[Outcome] = []

        over = threading.Event()

        def load() -> None:
            generator = Generator(("127.0.0.1", port), requests)
            while not over.is_set() and len(outcomes) < 60:
                outcomes.append(generator.closed(8, 1.0, keep_responses=True))

        loading = threading.Thread(target=load, daemon=True)
        loading.start()
        for replica in replicas:
            wait_until(lambda replica=replica: _answered(replica) > 20, "each gets its share")  # type: ignore[misc]
        for process in replicas[0].processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        before = _answered(replicas[2])
        wait_until(lambda: _answered(replicas[2]) > before + 50, "the others go on")
        assert replicas[1].stop(signal.SIGTERM) == 0
        before = _answered(replicas[2])
        wait_until(lambda: _answered(replicas[2]) > before + 50, "the last one goes on")
        over.set()
        loading.join(60)
    samples = [sample for outcome in outcomes for sample in outcome.samples]
    lost = sum(outcome.lost for outcome in outcomes)
    codes = {sample.status for sample in samples}
    assert (lost, codes) == (0, {200}), (tmp_path / "log").read_text()[-2000:]
    assert all(b'"label":"positive"' in sample.response for sample in samples)


def _answered(service: RunningService) -> float:
    return service.metric('sentiment_requests_total{code="200",route="/predict"}')
