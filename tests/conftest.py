from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.e2e.running_service import RunningService, running_service

# How long an example takes says more about the machine's neighbours than about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    """One service with default settings for all tests that leave it as they found it."""
    with running_service() as running:
        yield running
