"""A container of the real image: read-only, without rights, its service as PID 1."""

import threading
from pathlib import Path

import httpx
import pytest

from tests.e2e.prometheus import running_prometheus
from tests.e2e.running_service import wait_until
from tests.image.built_image import BuiltImage
from tests.image.container import RunningContainer, running_container

# The build is in the first test that asks for it.
pytestmark = pytest.mark.timeout(900)


def status(container: RunningContainer) -> dict[str, str]:
    lines = Path(f"/proc/{container.pid}/status").read_text().split("\n")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_it_answers_predictions(container: RunningContainer) -> None:
    answer = container.service.predict(["A lovely film.", "dreadful"])
    assert answer.status_code == 200
    assert [len(scores) for scores in answer.json()] == [2, 2]


def test_its_service_is_the_first_process_of_its_own_namespace(container: RunningContainer) -> None:
    assert status(container)["NSpid"].split() == [str(container.pid), "1"]


def test_it_runs_without_root_and_without_any_capability(container: RunningContainer) -> None:
    found = status(container)
    assert found["Uid"].split() == found["Gid"].split() == ["10001"] * 4
    assert found["Groups"] == ""
    assert int(found["CapEff"], 16) == int(found["CapPrm"], 16) == 0


@pytest.mark.parametrize("path", ["/app/x", "/opt/venv/x", "/var/tmp/x", "/etc/x"])
def test_its_root_file_system_is_read_only(container: RunningContainer, path: str) -> None:
    assert "Read-only file system" in container.run("touch", path).stderr


def test_its_health_check_passes_while_it_is_ready(
    container: RunningContainer, image: BuiltImage
) -> None:
    kind, *command = image.config["Healthcheck"]["Test"]
    assert kind == "CMD"  # the exec form: no shell
    checked = container.run(*command)
    assert checked.returncode == 0, checked.stderr


def test_its_health_check_fails_where_no_service_runs(
    container: RunningContainer, image: BuiltImage
) -> None:
    command = image.config["Healthcheck"]["Test"][1:]
    assert container.run("mkdir", "-p", "/tmp/elsewhere").returncode == 0
    assert container.run("env", "TMPDIR=/tmp/elsewhere", *command).returncode == 1


def test_prometheus_scrapes_it_with_the_shipped_configuration(
    container: RunningContainer, tmp_path: Path
) -> None:
    counted = 'sentiment_requests_total{code="200",route="/predict"}'
    container.service.predict("A lovely film.")
    with running_prometheus(container.service, tmp_path) as prometheus:

        def scraped() -> bool:
            series = prometheus.query(counted)
            found = sum(float(one["value"][1]) for one in series)
            return found > 0 and found == container.service.metric(counted)

        wait_until(scraped, "Prometheus has counted what the service has", 60.0)


def test_sigterm_as_pid_1_answers_what_was_read_and_exits_0(image: BuiltImage) -> None:
    with running_container(image) as container:
        answers: list[httpx.Response] = []
        # Enough work to be still running when the signal comes.
        texts = ["It was not as good as the first, " * 100] * 64
        asking = threading.Thread(
            target=lambda: answers.append(container.service.predict(texts, truncate=True))
        )
        asking.start()
        with httpx.Client(base_url=container.service.url) as watching:
            wait_until(
                lambda: "inflight_requests 2" in watching.get("/metrics").text.replace(".0", ""),
                "the request is in flight",
            )
        assert container.stop() == 0
        asking.join()
        assert [answer.status_code for answer in answers] == [200]
        assert container.service.processes() == []
