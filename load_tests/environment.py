"""The Python environment that a compared server runs in, installed when it is first needed."""

import subprocess
import sys
from pathlib import Path

from load_tests.server import OURS, Server
from load_tests.server_process import ROOT

INSTALL_SECONDS_LIMIT = 600
SHARED_REQUIREMENTS = ("onnxruntime", "tokenizers", "numpy")
# What runs in the project's own environment, and the package whose version is reported for it.
OWN_PACKAGES = {OURS: "litserve", "LitServe": "litserve", "FastAPI": "fastapi", "echo": "uvicorn"}


class EnvironmentMissing(Exception):
    """A server that can't be installed here; the message says why in one sentence."""


def prepare_environment(server: Server, environments: Path) -> Path:
    """The directory of executables of a Python environment that has the server.

    Raises:
        EnvironmentMissing: pip could not install it.
    """
    if server.requirement is None:
        return Path(sys.executable).parent
    directory = environments / server.framework.lower().replace(" ", "-")
    executables, stamp = directory / "bin", directory / ".complete"
    if stamp.exists():
        return executables.absolute()
    # The same versions of what runs the model; the framework picks the rest.
    pinned = [
        line
        for line in (ROOT / "constraints.txt").read_text().split()
        if line.partition("==")[0] in SHARED_REQUIREMENTS
    ]
    pip_install = [str(executables / "python"), "-m", "pip", "install", "--quiet"]
    for command in (
        [sys.executable, "-m", "venv", str(directory)],
        [*pip_install, server.requirement, *pinned],
    ):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_SECONDS_LIMIT
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentMissing(f"not installed within {INSTALL_SECONDS_LIMIT} s") from None
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().split("\n")
            raise EnvironmentMissing(f"pip can't install {server.requirement}: {lines[-1][:200]}")
    stamp.touch()
    return executables.absolute()


def installed_version(server: Server, executables: Path) -> str:
    """The version of the package that the server is built on."""
    package = OWN_PACKAGES.get(server.framework) or (server.requirement or "").partition("[")[0]
    program = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run(
        [str(executables / "python"), "-c", program], capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip() or "unknown"
