"""Starts that can't succeed say why in one sentence; two that can do not disturb each other."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.settings import SHIPPED_BUNDLE
from tests.e2e.load import Load
from tests.e2e.running_service import assert_all_end, running_service, wait_until
from tests.e2e.system_tool import system_tool


def refused_start(**settings: Any) -> str:
    """The one sentence with which the start was refused."""
    with running_service(wait=False, **settings) as service:
        everyone = service.processes()
        assert service.wait_for_end() == 2, service.log
        assert_all_end(everyone)
        (sentence,) = service.log.strip().split("\n")
    assert sentence.startswith("python -m service: ")
    return sentence


def test_a_socket_directory_that_is_missing_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file", "missing"):
        sentence = refused_start(socket_directory=tmp_path / name)
        assert f"socket_directory {tmp_path / name} can't be used" in sentence


def test_a_socket_directory_whose_name_is_too_long_for_a_socket(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 100)
    directory.mkdir()
    assert "too long for a Unix socket" in refused_start(socket_directory=directory)


@pytest.fixture
def mounted(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small file system of its own, with the options of ``request.param``."""
    mount, options = system_tool("mount"), request.param
    command = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mount is not permitted: {done.stderr.strip()}")
    yield tmp_path
    subprocess.run([system_tool("umount"), str(tmp_path)], check=True)


@pytest.mark.parametrize("mounted", ["size=1m,ro"], indirect=True)
def test_a_socket_directory_that_can_only_be_read(mounted: Path) -> None:
    assert "Read-only file system" in refused_start(socket_directory=mounted)


@pytest.mark.parametrize("mounted", ["size=64k"], indirect=True)
def test_a_socket_directory_that_is_full(mounted: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (mounted / "filling").write_bytes(b"\0" * (128 << 10))
    assert "No space left on device" in refused_start(socket_directory=mounted)


def test_a_port_that_somebody_else_listens_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} on 127.0.0.1 can't be listened on" in refused_start(port=port)


def test_of_two_services_that_start_at_once_on_one_port_one_serves_and_the_other_ends() -> None:
    with (
        running_service(wait=False, workers=1) as one,
        running_service(wait=False, workers=1, port=one.port) as other,
    ):
        both = [one, other]
        wait_until(lambda: any(s.process.poll() is not None for s in both), "one ends", 60.0)
        served, ended = sorted(both, key=lambda service: service.process.poll() is not None)
        assert ended.wait_for_end() in (1, 2)  # by whether the other listened already when it came
        sentence = f"port {one.port} on 127.0.0.1 can't be listened on: Address already in use"
        assert sentence in ended.log
        assert "serving" not in ended.log
        assert "Traceback" not in ended.log
        wait_until(lambda: "serving sentiment" in served.log, "the other serves", 60.0)
        assert one.predict("lovely").status_code == 200
        assert one.worker_pids() == [worker.pid for worker in served.workers()]


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # nvidia-smi may be installed here
    assert "device cuda: nvidia-smi lists no GPU on this machine" in refused_start(device="cuda")


def test_a_bundle_that_is_missing_or_newer_or_not_what_was_pinned(tmp_path: Path) -> None:
    assert "no such directory" in refused_start(bundle=tmp_path / "nowhere")
    manifest = json.loads((SHIPPED_BUNDLE / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "format_version": 2}))
    assert "format is not version 1" in refused_start(bundle=tmp_path)
    assert "bundle_digest" in refused_start(bundle_digest="0" * 64)


def test_more_tokens_than_the_bundle_was_verified_for() -> None:
    assert "max_tokens" in refused_start(max_tokens=1_000_000, max_queue_tokens=1_000_000)


def test_a_model_file_that_was_damaged_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED_BUNDLE, tmp_path / "bundle")
    model = tmp_path / "bundle" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\0\0")
    with running_service(wait=False, bundle=tmp_path / "bundle") as service:
        everyone = service.processes()
        assert service.wait_for_end() != 0
        assert_all_end(everyone)
        assert "model.onnx has" in service.log
        assert "Traceback" not in service.log


def test_variables_that_are_no_settings_are_named_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENTIMENT_SERVICE_PORT", "8000")
    monkeypatch.setenv("SENTIMENT_MAX_TOKEN", "9")
    with running_service(wait=False, bundle="/nowhere") as service:
        assert service.wait_for_end() == 2
        assert "Kubernetes made them: SENTIMENT_SERVICE_PORT" in service.log
        assert "SENTIMENT_MAX_TOKEN is no setting" in service.log


def test_closed_standard_error_is_no_failure() -> None:
    command = ["/bin/sh", "-c", f'exec "{sys.executable}" -m service 2>&- >&-']
    with running_service(command=command, workers=1) as service:
        assert service.predict("lovely").status_code == 200
        for process in service.processes():
            assert Path(f"/proc/{process.pid}/fd/2").readlink() == Path(os.devnull)
        assert service.stop() == 0


def test_two_services_side_by_side_answer_for_themselves(tmp_path: Path) -> None:
    options: dict[str, Any] = {"workers": 1, "timeout_ms": 120_000, "socket_directory": tmp_path}
    with running_service(**options) as one, running_service(**options) as two:
        with Load(one, clients=2) as load_of_one, Load(two, clients=2) as load_of_two:
            load_of_one.wait_for_everyone(2)
            load_of_two.wait_for_everyone(2)
            assert one.stop() == 0
            load_of_two.wait_for_everyone(2)
        assert set(load_of_two.codes) == {200}
        assert (load_of_two.wrong, load_of_two.lost, load_of_one.wrong) == ([], [], [])
        counted = two.metric('sentiment_requests_total{code="200",route="/predict"}')
        assert counted == load_of_two.codes[200] + 4
