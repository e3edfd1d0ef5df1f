"""The servers that are compared, how each is set up, and how it is started."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from load_tests.server_process import ROOT

Precision = Literal["fp32", "int8"]
# The service's backend that runs the same ONNX file as its peers do.
BACKENDS: dict[Precision, str] = {"fp32": "onnx", "int8": "onnx-int8"}
INSTALL_SECONDS_LIMIT = 600
SHARED_REQUIREMENTS = ("onnxruntime", "tokenizers", "numpy")
OURS = "service"
# What runs in the project's own environment, and the package whose version says which it is.
OWN_PACKAGES = {OURS: "litserve", "LitServe": "litserve", "FastAPI": "fastapi", "echo": "uvicorn"}


@dataclass(frozen=True, slots=True)
class Peer:
    """One server in one configuration; ``framework`` is what it is compared as."""

    name: str
    framework: str
    configuration: str
    command: tuple[str, ...]  # {python}, {bin} and {port} are filled in
    requirement: str | None = None  # what pip installs; None: the project's own environment
    settings: Mapping[str, str] = field(default_factory=dict)
    body: Literal["text", "list"] = "text"

    @property
    def package(self) -> str | None:
        return self.requirement.partition("[")[0] if self.requirement else None


def known_peers(cores: int) -> list[Peer]:
    """Every peer; servers with worker processes come with one and with one per core."""
    peers = [
        Peer(OURS, OURS, "its defaults", ("{python}", "-m", "service", "--port", "{port}")),
        Peer(
            "fastapi",
            "FastAPI",
            f"uvicorn with uvloop and httptools, {cores} pool threads, 1 thread per operator",
            ("{python}", "-m", "load_tests.peers.fastapi_server"),
            settings={"PEER_WORKERS": str(cores)},
        ),
        Peer(
            "echo",
            "echo",
            "bare ASGI on uvicorn with uvloop and httptools, no model",
            ("{python}", "-m", "load_tests.peers.echo_server"),
        ),
    ]
    for workers in sorted({1, cores}):
        variables = {"PEER_WORKERS": str(workers)}
        batched = {**variables, "PEER_BATCH_TEXTS": "32"}
        word = "worker" if workers == 1 else "workers"
        peers += [
            Peer(
                f"litserve-batched-{workers}",
                "LitServe",
                f"max_batch_size=32, batch_timeout=0.002, {workers} {word}",
                ("{python}", "-m", "load_tests.peers.litserve_server"),
                settings=batched,
            ),
            Peer(
                f"litserve-unbatched-{workers}",
                "LitServe",
                f"no batching, {workers} {word}",
                ("{python}", "-m", "load_tests.peers.litserve_server"),
                settings=variables,
            ),
            Peer(
                f"mosec-{workers}",
                "Mosec",
                f"max_batch_size=32, max_wait_time=1, {workers} {word}",
                (
                    *("{python}", "-m", "load_tests.peers.mosec_server"),
                    *("--port", "{port}", "--address", "127.0.0.1", "--timeout", "60000"),
                    *("--log-level", "warning"),
                ),
                requirement="mosec",
                settings=batched,
            ),
            Peer(
                f"bentoml-{workers}",
                "BentoML",
                f"adaptive batching up to 32, max_latency_ms=1000, {workers} {word}",
                (
                    *(
                        "{bin}/bentoml",
                        "serve",
                        "load_tests.peers.bentoml_server:ClassifierService",
                    ),
                    *("--host", "127.0.0.1", "--port", "{port}"),
                ),
                requirement="bentoml",
                settings={**batched, "BENTOML_DO_NOT_TRACK": "True"},
                body="list",
            ),
            Peer(
                f"ray-serve-{workers}",
                "Ray Serve",
                "serve.batch(max_batch_size=32, batch_wait_timeout_s=0.002), "
                f"{workers} {'replica' if workers == 1 else 'replicas'}",
                ("{python}", "-m", "load_tests.peers.ray_server"),
                requirement="ray[serve]",
                settings={**batched, "RAY_USAGE_STATS_ENABLED": "0"},
            ),
        ]
    return peers


class PeerMissing(Exception):
    """A peer that can't be run here; the message says why in one sentence."""


def prepare_environment(peer: Peer, environments: Path) -> Path:
    """The directory of a Python environment that has the peer, installed if need be.

    Raises:
        PeerMissing: pip could not install it.
    """
    if peer.requirement is None:
        return Path(sys.executable).parent
    directory = environments / peer.framework.lower().replace(" ", "-")
    executables, stamp = directory / "bin", directory / ".complete"
    if stamp.exists():
        return executables.absolute()
    # The same versions of what runs the model; the framework picks the rest.
    pinned = [
        line
        for line in (ROOT / "constraints.txt").read_text().split()
        if line.partition("==")[0] in SHARED_REQUIREMENTS
    ]
    commands = [
        [sys.executable, "-m", "venv", str(directory)],
        [str(executables / "python"), "-m", "pip", "install", "--quiet", peer.requirement, *pinned],
    ]
    for command in commands:
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_SECONDS_LIMIT
            )
        except subprocess.TimeoutExpired:
            raise PeerMissing(f"not installed within {INSTALL_SECONDS_LIMIT} s") from None
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().split("\n")
            raise PeerMissing(f"pip can't install {peer.requirement}: {lines[-1][:200]}")
    stamp.touch()
    return executables.absolute()


def installed_version(peer: Peer, executables: Path) -> str:
    """The version of the package that the peer is built on."""
    package = peer.package or OWN_PACKAGES[peer.framework]
    program = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run(
        [str(executables / "python"), "-c", program], capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip() or "unknown"


def command_of(peer: Peer, executables: Path, port: int) -> list[str]:
    values = {"python": str(executables / "python"), "bin": str(executables), "port": str(port)}
    return [part.format(**values) for part in peer.command]


def environment_of(
    peer: Peer, bundle: Path, precision: Precision, labels: list[str], port: int
) -> dict[str, str]:
    return {
        "PEER_BUNDLE": str(bundle.absolute()),
        "PEER_PRECISION": precision,
        "PEER_PORT": str(port),
        "PEER_LABELS": ",".join(labels),
        "SENTIMENT_BUNDLE": str(bundle.absolute()),
        "SENTIMENT_BACKEND": BACKENDS[precision],
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **peer.settings,
    }
