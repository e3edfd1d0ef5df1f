"""What makes the main process end the service."""

import multiprocessing
import os
import socket
import time
from types import SimpleNamespace
from typing import Any

import pytest

from service.metrics import Metrics
from service.processes.supervisor import Supervisor
from service.processes.worker_processes import WorkerProcesses
from service.settings import read_settings
from service.worker_health import WorkerHealth

CONTEXT = multiprocessing.get_context("fork")
UNDISTURBED = 7  # exit code


def supervise(api_process_ends: bool) -> None:
    """In a process of its own, because the supervisor takes over signals and forks."""
    api_process = CONTEXT.Process(target=time.sleep, args=(0.0 if api_process_ends else 60.0,))
    api_process.start()
    if api_process_ends:
        api_process.join()  # before the supervisor has looked even once
    server: Any = SimpleNamespace(inference_workers=[], api_processes=[api_process])
    launch: Any = None
    ready, _ = multiprocessing.Pipe(duplex=False)
    metrics = Metrics(["a", "b"], 1, {}).row(0)
    workers = WorkerProcesses(read_settings([]), 0, launch, ready, WorkerHealth(1), metrics)

    def serve() -> None:
        time.sleep(1.0)  # some twenty looks
        api_process.kill()
        os._exit(UNDISTURBED)

    with socket.socket() as listener:
        os._exit(Supervisor(server, workers, listener).run(serve))


@pytest.mark.parametrize(("ends", "exit_code"), [(True, 1), (False, UNDISTURBED)])
def test_an_api_process_that_dies_before_anybody_looked_ends_the_service(
    ends: bool, exit_code: int
) -> None:
    main = CONTEXT.Process(target=supervise, args=(ends,))
    main.start()
    main.join()
    assert main.exitcode == exit_code
