"""LitServe, set up for what it does here: processes, devices and the HTTP server's loop."""

import socket
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import litserve

from service.cores import Allotment
from service.json_log import log_json
from service.settings import SettingError, Settings
from service.worker.inference_api import InferenceApi


class LitServer(litserve.LitServer):  # type: ignore[misc]
    """LitServe, whose API processes can be looked after from the moment they are there."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.api_processes: list[BaseProcess] = []

    def _start_server(self, *arguments: object, **options: object) -> dict[int, BaseProcess]:
        log_json()  # LitServe has just set up its own
        started: dict[int, BaseProcess] = super()._start_server(*arguments, **options)
        self.api_processes = list(started.values())
        return started


def make_lit_server(settings: Settings, api: InferenceApi, allotment: Allotment) -> LitServer:
    """LitServe with a worker for each device and for each that the allotment says.

    Raises:
        SettingError: there is no such device here.
    """
    server = LitServer(
        api,
        accelerator=settings.device,
        devices=1 if settings.device == "cpu" else "auto",
        workers_per_device=allotment.workers,
        timeout=False,
    )
    if not server.devices:  # LitServe would wait for ever for a worker on one of them
        raise SettingError(f"device {settings.device}: nvidia-smi lists no GPU on this machine")
    # LitServe's monitor starts workers during a drain too; the supervisor takes its place.
    server._monitor_workers = False
    server.uvicorn_graceful_timeout = settings.drain_seconds
    return server


def run_lit_server(
    server: LitServer,
    settings: Settings,
    api_servers: int,
    listener: socket.socket,
    protocol: Callable[..., object],
) -> None:
    """Start all processes and serve until KeyboardInterrupt; ``protocol`` makes connections."""
    server.run(
        host="127.0.0.1",  # one of the three that it takes; the listener is bound already
        port=settings.port,
        fd=listener.fileno(),
        num_api_servers=api_servers,
        log_level="warning",
        generate_client_file=False,
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="on",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
    )
