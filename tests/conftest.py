import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.e2e.running_service import RunningService, running_service

# With one thread additions have one order: small models learn the same on any number of cores,
# here and in the processes that tests start. It counts because torch is not loaded yet.
os.environ["OMP_NUM_THREADS"] = "1"
# Some tests load ONNX Runtime before the engine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# How long an example takes says more about the machine's neighbours than about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    """One service with default settings for all tests that leave it as they found it."""
    with running_service() as running:
        yield running


@pytest.fixture(autouse=True)
def torch_as_it_was_found() -> Iterator[None]:
    """What a test sets for the whole process must not reach the next one.

    Backends and trainings flush denormal numbers and choose their threads.
    """
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_flush_denormal(False)
        torch.set_num_threads(1)
