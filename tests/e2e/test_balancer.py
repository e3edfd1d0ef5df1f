"""The balancer of docker-compose.yml in front of the service, with Debian's nginx."""

import subprocess
from pathlib import Path

import httpx

from tests.e2e.running_service import RunningService, free_port, wait_until
from tests.e2e.system_tool import system_tool

CONFIGURATION = Path(__file__).parents[2] / "deploy/balancer/nginx.conf"


def test_the_balancer_passes_predictions_on(service: RunningService, tmp_path: Path) -> None:
    configuration = CONFIGURATION.read_text()
    port = free_port()
    for old, new in [
        ("server service:8000", f"server 127.0.0.1:{service.port}"),
        ("listen 8080", f"listen 127.0.0.1:{port}"),
        ("/tmp/", f"{tmp_path}/"),
        ("worker_processes auto", "worker_processes 1"),
    ]:
        assert old in configuration
        configuration = configuration.replace(old, new)
    (tmp_path / "nginx.conf").write_text(configuration)
    command = [system_tool("nginx"), "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0) as client:

            def passing() -> bool:
                try:
                    return client.get("/readyz").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(passing, "the balancer is up")
            answer = client.post("/predict", json={"inputs": "A lovely film."})
        assert answer.json() == service.predict("A lovely film.").json()
    finally:
        process.terminate()
        process.wait(10)
