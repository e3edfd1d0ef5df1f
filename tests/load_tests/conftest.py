from collections.abc import Iterator

import pytest

from tests.e2e.running_service import RunningService, running_service


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    """One service with default settings that every load is put on."""
    with running_service() as running:
        yield running
