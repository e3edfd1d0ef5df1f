import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.system_tool import system_tool
from tests.image.built_image import BASE_ARCHIVE, BuiltImage, built_image
from tests.image.container import RunningContainer, running_container


@pytest.fixture(scope="session")
def image() -> Iterator[BuiltImage]:
    """The image built once for all tests."""
    system_tool("buildah")
    if os.geteuid() != 0:
        pytest.skip("mounting an image needs root")
    assert BASE_ARCHIVE.exists(), "make test-image makes the base image first"
    with (
        tempfile.TemporaryDirectory(dir=BASE_ARCHIVE.parent) as directory,
        built_image(Path(directory)) as built,
    ):
        yield built


@pytest.fixture(scope="module")
def container(image: BuiltImage) -> Iterator[RunningContainer]:
    """A container that tests leave as they found it."""
    with running_container(image) as running:
        yield running
