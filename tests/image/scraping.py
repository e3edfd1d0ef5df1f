"""A real Prometheus with the shipped configuration, pointed at one service."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.e2e.running_service import free_port, wait_until
from tests.image.built_image import ROOT


class Prometheus:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @property
    def ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def query(self, expression: str) -> float | None:
        """The value of an expression that gives one series, or None while there is none."""
        answer = self._client.get("/api/v1/query", params={"query": expression})
        result = answer.raise_for_status().json()["data"]["result"]
        return float(result[0]["value"][1]) if result else None


@contextmanager
def scraped_by_prometheus(target: str, directory: Path) -> Iterator[Prometheus]:
    """Run Prometheus with ``deploy/prometheus`` and only the target changed."""
    configuration = shutil.copytree(ROOT / "deploy/prometheus", directory / "prometheus")
    (configuration / "targets.yml").write_text(f'- targets: ["{target}"]\n')
    address = f"127.0.0.1:{free_port()}"
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={configuration / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            with httpx.Client(base_url=f"http://{address}", timeout=10) as client:
                prometheus = Prometheus(client)
                wait_until(lambda: prometheus.ready, "Prometheus is ready")
                yield prometheus
        finally:
            process.terminate()
            process.wait(30)
