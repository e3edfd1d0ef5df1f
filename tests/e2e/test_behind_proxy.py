"""Behind a proxy that strips a prefix, as ``proxy_pass http://service/;`` does, with real nginx."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser import Visit, running_chromium
from tests.e2e.running_service import RunningService, free_port, running_service, wait_until
from tests.e2e.system_tool import system_tool

PREFIX = "/deep/sentiment"
CONFIGURATION = """
pid {directory}/nginx.pid;
error_log stderr warn;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_max_body_size 0;
    client_body_buffer_size 16m;
    server {{
        listen 127.0.0.1:{port};
        location {prefix}/ {{
            proxy_request_buffering {buffering};
            proxy_pass http://127.0.0.1:{service_port}/;
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with running_service(workers=1, root_path=PREFIX) as running:
        yield running


@pytest.fixture(scope="module", params=["on", "off"], ids=["buffering", "streaming"])
def url(
    service: RunningService,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Where the service is to be found from outside."""
    directory, port = tmp_path_factory.mktemp("nginx"), free_port()
    configuration: Path = directory / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(
            directory=directory,
            port=port,
            prefix=PREFIX,
            buffering=request.param,
            service_port=service.port,
        )
    )
    command = [system_tool("nginx"), "-c", str(configuration), "-g", "daemon off;"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    outside = f"http://127.0.0.1:{port}{PREFIX}"

    def passing() -> bool:
        try:
            return httpx.get(f"{outside}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(passing, "the proxy is up")
        yield outside
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    """A visit that must end without a complaint and without having left the prefix."""
    visiting = Visit(browser, url)
    yield visiting
    visiting.context.close()
    assert visiting.complaints == []
    assert [asked for asked in visiting.requested if not asked.startswith(f"{url}/")] == []


def test_the_page_works(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.url}/")
    page.get_by_role("button", name="A warm one").click()
    expect(page.locator("#words-table tbody tr")).to_have_count(6)
    page.locator("#tab-agreement").click()
    expect(page.locator("#agreement-steps button")).to_have_count(3 * 6 * 2 * 2)
    page.get_by_role("link", name="API", exact=True).click()
    predict = page.locator("#operations > details").filter(has_text="/predict").first
    predict.get_by_role("button", name="Send").click()
    expect(predict.locator("pre[role=status]")).to_contain_text("200 OK")
    page.get_by_role("link", name="Page").click()
    expect(page.locator("#model")).to_contain_text("LSTM")


def test_openapi_names_the_prefix(url: str) -> None:
    schema = httpx.get(f"{url}/openapi.json").json()
    assert schema["servers"] == [{"url": PREFIX}]
    assert url.endswith(schema["servers"][0]["url"])


@pytest.mark.parametrize("size", [3_000_000, 15_000_000])
def test_an_early_refusal_is_no_bad_gateway(url: str, size: int) -> None:
    answer = httpx.post(f"{url}/predict", content=b"x" * size, timeout=30.0)
    assert (answer.status_code, answer.json()["error_type"]) == (413, "too_large")
