"""LitServe as the host: it supervises the processes, assigns devices and serves the HTTP app."""

import asyncio
import contextlib
import functools
import gc
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import litserve
from fastapi import FastAPI
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

from service import __version__
from service.cores import allot, usable_cores
from service.draining import Draining
from service.engine.bundle import Bundle
from service.engine.golden import prove_tokenizer, read_golden
from service.engine.tokenizer import TextTokenizer
from service.http.access import Access, read_keys
from service.http.cross_origin import CrossOrigin
from service.http.gateway import Gateway
from service.http.open_inference_routes import OpenInferenceRoutes
from service.http.predict import PredictEndpoint
from service.http.predict_spec import PredictSpec
from service.http.protocol import HttpProtocol
from service.http.reply import ReplyWriter
from service.http.routes import add_routes
from service.json_log import log_json
from service.metrics import Metrics
from service.process_tree import bind_forked_children
from service.processes.listener import bind_listener
from service.processes.socket_directory import private_socket_directory
from service.processes.supervisor import Supervisor
from service.processes.worker_starts import WorkerStarts
from service.queueing.predictor import Predictor
from service.settings import SHIPPED_BUNDLE, SettingError, Settings
from service.worker.inference_api import InferenceApi
from service.worker.inference_loop import InferenceLoop, socket_path

logger = logging.getLogger(__name__)


def serve(settings: Settings, api_class: type[InferenceApi] = InferenceApi) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. ``api_class`` opens the backend.

    Raises:
        SettingError: a setting is impossible on this machine or with this bundle.
        BundleError: the bundle must not be served.
    """
    access = Access(read_keys(settings))
    bundle = Bundle(settings.bundle)
    _check_bundle(settings, bundle)
    tokenizer = TextTokenizer(bundle)
    prove_tokenizer(tokenizer, read_golden(bundle))
    with bind_listener(settings) as listener, private_socket_directory(settings) as directory:
        return _run(settings, api_class, access, bundle, tokenizer, listener, directory)


def _run(
    settings: Settings,
    api_class: type[InferenceApi],
    access: Access,
    bundle: Bundle,
    tokenizer: TextTokenizer,
    listener: socket.socket,
    directory: Path,
) -> int:
    allotment = allot(settings, usable_cores())
    build_info = {"version": __version__, "model": bundle.manifest.version}
    metrics = Metrics(
        bundle.manifest.labels, allotment.api_servers + 1, build_info, settings.metrics
    )
    draining = Draining()
    predictor = Predictor(settings, tokenizer, allotment, draining)
    reply = ReplyWriter(bundle.manifest.labels, bundle.manifest.version)
    trusted = settings.bundle_digest is not None or bundle.directory.resolve() == SHIPPED_BUNDLE
    api = api_class(
        bundle,
        settings.backend,
        allotment.threads,
        settings.max_tokens,
        trusted,
        directory,
        max_batch_size=settings.micro_batch_texts,
        spec=PredictSpec(),
        loop=InferenceLoop(directory, settings),
    )
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
    socket_paths = [
        socket_path(directory, number) for number in range(allotment.workers * len(server.devices))
    ]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # LitServe's own lifespan polls a response queue that nothing here uses.
        log_json()
        draining.listen()
        predictor.start(socket_paths, metrics.row(app.response_queue_id))  # type: ignore[attr-defined]
        gc.collect()
        gc.freeze()  # what was made before the first request is never garbage
        gc.set_threshold(50_000, 20, 100)  # requests leave no cycles: looking for them is waste
        announcement = asyncio.create_task(_announce(settings, bundle, predictor))
        yield
        announcement.cancel()
        predictor.stop()

    add_routes(server.app, settings, bundle, predictor, metrics)
    OpenInferenceRoutes(settings, bundle, predictor, reply).add_to(server.app)
    server.app.router.lifespan_context = lifespan
    front: ASGIApp = Gateway(
        _only_routing(server.app),
        predictor=predictor,
        predict=PredictEndpoint(settings, predictor, reply),
        access=access,
        log_every_request=settings.access_log,
    )
    if settings.cors_origins:
        front = CrossOrigin(front, settings.cors_origins)
    starts = WorkerStarts(directory, settings.start_seconds)
    for number in range(len(socket_paths)):
        starts.begin(number)
    supervisor = Supervisor(server, api, listener, starts, metrics.row(allotment.api_servers))
    supervisor.start()
    bind_forked_children()
    try:
        server.run(
            host=settings.host,
            port=settings.port,
            fd=listener.fileno(),
            num_api_servers=allotment.api_servers,
            log_level="warning",
            generate_client_file=False,
            loop="uvloop",
            http=functools.partial(HttpProtocol, draining, front),
            ws="none",
            lifespan="on",
            proxy_headers=False,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=settings.keep_alive_seconds,
        )
    except KeyboardInterrupt:
        pass  # told to end while still starting
    except Exception as error:
        supervisor.give_up(f"LitServe failed: {type(error).__name__}: {error}")
    finally:
        supervisor.end_children()
    return supervisor.exit_code


async def _announce(settings: Settings, bundle: Bundle, predictor: Predictor) -> None:
    while not predictor.ready:
        await asyncio.sleep(0.01)
    manifest, hello = bundle.manifest, predictor.dispatcher.links[0].hello
    logger.info(
        "serving %s %s at http://%s:%d (%s, %s)",
        manifest.name,
        manifest.version,
        f"[{settings.host}]" if ":" in settings.host else settings.host,
        settings.port,
        hello.backend if hello else "",
        hello.reason if hello else "",
    )


def _only_routing(app: FastAPI) -> FastAPI:
    """Without the middlewares that Starlette, FastAPI and LitServe put around the routes: they do
    what the gateway does already, answer errors in another form, or compress what is too small."""
    app.user_middleware = []
    stack: Any = app.build_middleware_stack()
    while not isinstance(stack, ExceptionMiddleware):
        stack = stack.app
    app.middleware_stack = stack
    return app


def _check_bundle(settings: Settings, bundle: Bundle) -> None:
    if settings.bundle_digest not in (None, bundle.digest):
        raise SettingError(
            f"bundle_digest: the bundle {bundle.directory} has the digest {bundle.digest}"
        )
    if settings.max_tokens > bundle.manifest.max_tokens:
        raise SettingError(
            f"max_tokens ({settings.max_tokens}) exceeds what the bundle was verified for"
            f" ({bundle.manifest.max_tokens})"
        )
