"""LitServe, set up for what it does here: processes, devices and the HTTP server's loop."""

import socket
from collections.abc import Callable

import litserve

from service.cores import Allotment
from service.settings import Settings
from service.worker.inference_api import InferenceApi


def make_lit_server(
    settings: Settings, api: InferenceApi, allotment: Allotment
) -> litserve.LitServer:
    server = litserve.LitServer(
        api,
        accelerator=settings.device,
        devices=1 if settings.device == "cpu" else "auto",
        workers_per_device=allotment.workers,
        timeout=False,
    )
    # LitServe's monitor starts workers during a drain too; the supervisor takes its place.
    server._monitor_workers = False
    server.uvicorn_graceful_timeout = settings.drain_seconds
    return server


def run_lit_server(
    server: litserve.LitServer,
    settings: Settings,
    api_servers: int,
    listener: socket.socket,
    protocol: Callable[..., object],
) -> None:
    """Start all processes and serve until KeyboardInterrupt; ``protocol`` makes connections."""
    server.run(
        host=settings.host,
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
