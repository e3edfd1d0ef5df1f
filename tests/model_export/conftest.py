from pathlib import Path

import pytest
from rich.console import Console

from model_export.run import Run
from model_export.training import train
from tests.model_export.opinions import small_configuration, write_opinions


@pytest.fixture
def console() -> Console:
    return Console(quiet=True)


@pytest.fixture(scope="session")
def opinions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_opinions(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, opinions: Path) -> Run:
    run = Run(tmp_path_factory.mktemp("runs") / "opinions")
    train(small_configuration(), opinions, run, "cpu", 1, Console(quiet=True))
    return run
