"""Debian's Prometheus, with the configuration of ``deploy/prometheus``, scraping a service."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.e2e.running_service import RunningService, free_port, wait_until
from tests.e2e.system_tool import system_tool

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "prometheus"


class Prometheus:
    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=30.0)

    @property
    def ready(self) -> bool:
        try:
            return self.client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result vector: labels under ``metric``, time and value under ``value``."""
        answer = self.client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        return list(answer["data"]["result"])

    def targets(self) -> list[dict[str, Any]]:
        return list(self.client.get("/api/v1/targets").json()["data"]["activeTargets"])

    def rules(self) -> list[dict[str, Any]]:
        groups = self.client.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextlib.contextmanager
def running_prometheus(service: RunningService, directory: Path) -> Iterator[Prometheus]:
    """The committed configuration with another target, and faster, so that a test need not wait."""
    program = system_tool("prometheus")
    shutil.copytree(CONFIGURATION, directory, dirs_exist_ok=True)
    configuration = yaml.safe_load((directory / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "250ms", "evaluation_interval": "500ms"}
    configuration["global"]["scrape_timeout"] = "250ms"
    (directory / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    targets = yaml.safe_load((directory / "targets.yml").read_text())
    targets[0]["targets"] = [f"127.0.0.1:{service.port}"]
    (directory / "targets.yml").write_text(yaml.safe_dump(targets))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        prometheus = Prometheus(f"http://{address}")
        try:
            wait_until(lambda: prometheus.ready, "Prometheus is ready")
            yield prometheus
        finally:
            prometheus.client.close()
            process.terminate()
            process.wait(30)
