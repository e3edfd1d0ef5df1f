import pytest

from service.engine.bundle import Bundle
from service.settings import read_settings


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """The bundle that the service serves unless it is told otherwise."""
    return Bundle(read_settings([]).bundle)
