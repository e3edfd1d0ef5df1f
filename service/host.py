"""Puts the rooms together: LitServe hosts the processes, and each room does its part in them."""

import asyncio
import contextlib
import functools
import gc
import logging
import multiprocessing
import os
import socket
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

from service import __version__
from service.cores import Allotment, allot, usable_cores
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
from service.processes.listener import bind_listener, listen, local_url
from service.processes.lit_server import make_lit_server, run_lit_server
from service.processes.scratch_directory import scratch_directory
from service.processes.socket_directory import private_socket_directory
from service.processes.supervisor import Supervisor
from service.processes.worker_processes import WorkerProcesses
from service.queueing.predictor import Predictor
from service.settings import SHIPPED_BUNDLE, SettingError, Settings
from service.worker.inference_api import InferenceApi
from service.worker.inference_loop import InferenceLoop, socket_path
from service.worker_health import WorkerHealth

FIRST_WORKER_SECONDS_LIMIT = 5.0

logger = logging.getLogger(__name__)


def serve(settings: Settings, api_class: type[InferenceApi] = InferenceApi) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. ``api_class`` opens the backend.

    Raises:
        SettingError: a setting is impossible on this machine or with this bundle.
        BundleError: the bundle must not be served.
    """
    access = Access(read_keys(settings))
    bundle = Bundle(settings.bundle)
    bundle.hold()
    _check_bundle(settings, bundle)
    tokenizer = TextTokenizer(bundle)
    prove_tokenizer(tokenizer, read_golden(bundle))
    allotment = allot(settings, usable_cores())
    metrics = Metrics(
        bundle.manifest.labels,
        allotment.api_servers + 1,
        {"version": __version__, "model": bundle.manifest.version},
        settings.metrics,
    )
    draining = Draining()
    with (
        bind_listener(settings) as listener,
        private_socket_directory(settings) as directory,
        scratch_directory(local_url(listener)),
    ):
        ready, say_ready = multiprocessing.Pipe(duplex=False)
        api = _inference_api(settings, api_class, bundle, allotment, directory, say_ready)
        server = make_lit_server(settings, api, allotment)
        workers = allotment.workers * len(server.devices)
        health = WorkerHealth(workers)
        predictor = Predictor(settings, tokenizer, allotment, draining, health)
        front = _front(server.app, settings, bundle, predictor, metrics, access)
        socket_paths = [socket_path(directory, number) for number in range(workers)]
        server.app.router.lifespan_context = _lifespan(
            settings, bundle, predictor, draining, metrics, socket_paths, listener
        )
        launch = functools.partial(server.launch_single_inference_worker, api)
        own_metrics = metrics.row(allotment.api_servers)
        processes = WorkerProcesses(settings, workers, launch, ready, health, own_metrics)
        protocol = functools.partial(HttpProtocol, draining, front)
        return Supervisor(server, processes, listener).run(
            lambda: run_lit_server(server, settings, allotment.api_servers, listener, protocol)
        )


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


def _inference_api(
    settings: Settings,
    api_class: type[InferenceApi],
    bundle: Bundle,
    allotment: Allotment,
    directory: Path,
    say_ready: Connection,
) -> InferenceApi:
    trusted = settings.bundle_digest is not None or bundle.directory.resolve() == SHIPPED_BUNDLE
    return api_class(
        bundle,
        settings.backend,
        allotment.threads,
        settings.max_tokens,
        trusted,
        say_ready,
        max_batch_size=settings.micro_batch_texts,
        spec=PredictSpec(),
        loop=InferenceLoop(directory, settings),
    )


def _front(
    app: FastAPI,
    settings: Settings,
    bundle: Bundle,
    predictor: Predictor,
    metrics: Metrics,
    access: Access,
) -> ASGIApp:
    """The ASGI application that every request meets first; behind it, FastAPI's routes."""
    reply = ReplyWriter(bundle.manifest.labels, bundle.manifest.version)
    add_routes(app, settings, bundle, predictor, metrics)
    OpenInferenceRoutes(settings, bundle, predictor, reply).add_to(app)
    front: ASGIApp = Gateway(
        _only_routing(app),
        predictor=predictor,
        predict=PredictEndpoint(settings, predictor, reply),
        access=access,
        log_every_request=settings.access_log,
    )
    if settings.cors_origins:
        front = CrossOrigin(front, settings.cors_origins)
    return front


def _only_routing(app: FastAPI) -> FastAPI:
    """Without the middlewares that Starlette, FastAPI and LitServe put around the routes: they do
    what the gateway does already, answer errors in another form, or compress what is too small."""
    app.user_middleware = []
    stack: Any = app.build_middleware_stack()
    while not isinstance(stack, ExceptionMiddleware):
        stack = stack.app
    app.middleware_stack = stack
    return app


def _lifespan(
    settings: Settings,
    bundle: Bundle,
    predictor: Predictor,
    draining: Draining,
    metrics: Metrics,
    socket_paths: list[Path],
    listener: socket.socket,
) -> Any:
    """What an API process does before its first request and after its last one."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # LitServe's own lifespan polls a response queue that nothing here uses.
        log_json()
        draining.listen()
        predictor.start(socket_paths, metrics.row(app.response_queue_id))  # type: ignore[attr-defined]
        await _first_worker(predictor)
        if refusal := listen(listener, settings):
            logger.error("%s", refusal)
            logging.shutdown()
            os._exit(1)  # the supervisor ends the rest
        gc.collect()
        gc.freeze()  # what was made before the first request is never garbage
        gc.set_threshold(50_000, 20, 100)  # requests leave no cycles: looking for them is waste
        announcement = asyncio.create_task(_announce(settings, bundle, predictor))
        yield
        announcement.cancel()
        predictor.stop()

    return lifespan


async def _first_worker(predictor: Predictor) -> None:
    """Until somebody can answer: LitServe says that a worker is ready just before it listens."""
    stop_at = time.monotonic() + FIRST_WORKER_SECONDS_LIMIT
    while not predictor.dispatcher.scheduler.workers_ready and time.monotonic() < stop_at:
        await asyncio.sleep(0.005)


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
