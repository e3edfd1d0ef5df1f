"""docker-compose.yml: valid, pinned, and every path and command in it exists."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from service import __version__
from tests.e2e.system_tool import system_tool

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
    "services"
]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OWN = {name: service for name, service in SERVICES.items() if "build" in service}


def test_docker_compose_accepts_it() -> None:
    command = [system_tool("docker-compose"), "--profile", "load", "--profile", "gpu", "config"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["services"].keys() == SERVICES.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.match(r"v?\d+\.\d+\.\d+", tag)
    if name in OWN:
        assert tag == f"{__version__}-{SERVICES[name]['build']['target']}"


def test_every_base_image_is_pinned() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - stages
    assert bases == {"${BASE_IMAGE}"}
    assert re.search(r"^ARG BASE_IMAGE=\S+:\d+\.\d+\.\d+-\S+$", DOCKERFILE, re.MULTILINE)


def test_the_first_image_to_be_built_by_default_is_the_cpu_one() -> None:
    assert re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE)[-1] == "cpu"


@pytest.mark.parametrize("name", OWN)
def test_every_build_target_exists(name: str) -> None:
    assert re.search(rf"^FROM \S+ AS {OWN[name]['build']['target']}$", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("name", SERVICES)
def test_every_mounted_path_exists(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.split(":")[0]
        assert not source.startswith(".") or (ROOT / source).exists()


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_bounded_and_may_do_nothing_special(name: str) -> None:
    service = SERVICES[name]
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICES.keys() - {"service", "gpu"})
def test_everything_else_starts_once_what_it_needs_is_healthy(name: str) -> None:
    needed = SERVICES[name]["depends_on"]
    assert all(wait["condition"] == "service_healthy" for wait in needed.values())
    for other in needed:
        assert other in OWN or "healthcheck" in SERVICES[other]


@pytest.mark.parametrize("name", ["service", "gpu"])
def test_the_service_has_time_to_drain_on_a_read_only_file_system(name: str) -> None:
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > 20
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["tmpfs"][0].startswith("/tmp:")


def test_only_the_loopback_interface_is_published() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_load_command_is_one_that_load_tests_has() -> None:
    command = SERVICES["load"]["command"]
    done = subprocess.run(
        [sys.executable, "-m", "load_tests", command[0], "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert command[1] in done.stdout
    assert command[2] in done.stdout
