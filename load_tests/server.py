"""The servers that are compared, ours among them: how each is configured and started."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from load_tests.precision import BACKENDS, Precision

OURS = "service"


@dataclass(frozen=True, slots=True)
class Server:
    """One server in one configuration; ``framework`` is what it is compared as."""

    name: str
    framework: str
    configuration: str
    command: tuple[str, ...]  # {python}, {bin} and {port} are filled in
    requirement: str | None = None  # what pip installs; None: the project's own environment
    settings: Mapping[str, str] = field(default_factory=dict)
    body: Literal["text", "list"] = "text"


def known_servers(cores: int) -> list[Server]:
    """Every server; those with worker processes come with one worker and with one per core."""
    servers = [
        Server(OURS, OURS, "its defaults", ("{python}", "-m", "service", "--port", "{port}")),
        Server(
            "fastapi",
            "FastAPI",
            f"uvicorn with uvloop and httptools, {cores} pool threads, 1 thread per operator",
            _module("fastapi_server"),
            settings={"BASELINE_WORKERS": str(cores)},
        ),
        Server(
            "echo",
            "echo",
            "bare ASGI on uvicorn with uvloop and httptools, no model",
            _module("echo_server"),
        ),
    ]
    for workers in sorted({1, cores}):
        servers += _with_workers(workers)
    return servers


def _with_workers(workers: int) -> list[Server]:
    variables = {"BASELINE_WORKERS": str(workers)}
    batched = {**variables, "BASELINE_BATCH_TEXTS": "32"}
    plural = "" if workers == 1 else "s"
    return [
        Server(
            f"litserve-batched-{workers}",
            "LitServe",
            f"max_batch_size=32, batch_timeout=0.002, {workers} worker{plural}",
            _module("litserve_server"),
            settings=batched,
        ),
        Server(
            f"litserve-unbatched-{workers}",
            "LitServe",
            f"no batching, {workers} worker{plural}",
            _module("litserve_server"),
            settings=variables,
        ),
        Server(
            f"mosec-{workers}",
            "Mosec",
            f"max_batch_size=32, max_wait_time=1, {workers} worker{plural}",
            (
                *_module("mosec_server"),
                *("--address", "127.0.0.1", "--port", "{port}"),
                *("--timeout", "60000", "--log-level", "warning"),
            ),
            requirement="mosec",
            settings=batched,
        ),
        Server(
            f"bentoml-{workers}",
            "BentoML",
            f"adaptive batching up to 32, max_latency_ms=1000, {workers} worker{plural}",
            (
                *(
                    "{bin}/bentoml",
                    "serve",
                    "load_tests.baselines.bentoml_server:ClassifierService",
                ),
                *("--host", "127.0.0.1", "--port", "{port}"),
            ),
            requirement="bentoml",
            settings={**batched, "BENTOML_DO_NOT_TRACK": "True"},
            body="list",
        ),
        Server(
            f"ray-serve-{workers}",
            "Ray Serve",
            "serve.batch(max_batch_size=32, batch_wait_timeout_s=0.002),"
            f" {workers} replica{plural}",
            _module("ray_server"),
            requirement="ray[serve]",
            settings={**batched, "RAY_USAGE_STATS_ENABLED": "0"},
        ),
    ]


def _module(name: str) -> tuple[str, ...]:
    return ("{python}", "-m", f"load_tests.baselines.{name}")


def command_of(server: Server, executables: Path, port: int) -> list[str]:
    values = {"python": str(executables / "python"), "bin": str(executables), "port": str(port)}
    return [part.format(**values) for part in server.command]


def environment_of(
    server: Server, bundle: Path, precision: Precision, labels: list[str], port: int
) -> dict[str, str]:
    return {
        "BASELINE_BUNDLE": str(bundle.absolute()),
        "BASELINE_PRECISION": precision,
        "BASELINE_PORT": str(port),
        "BASELINE_LABELS": ",".join(labels),
        "SENTIMENT_BUNDLE": str(bundle.absolute()),
        "SENTIMENT_BACKEND": BACKENDS[precision],
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **server.settings,
    }
