"""The rooms of the house import only as ARCHITECTURE.md allows."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVICE = {"service", "service.engine"}
ALLOWED = {
    "service/engine": {"service.engine"},
    "service/queueing": {"service.queueing", "service.http", *SERVICE},
    "service/http": {"service.http", "service.queueing", *SERVICE},
    "service/worker": {"service.worker", *SERVICE},
    "service/processes": {"service.processes", "service.worker", *SERVICE},
    "service": SERVICE,
    "model_export": {"model_export", "service.engine"},
    "textbook": {"textbook", "model_export", "service.engine"},
    "load_tests": {"load_tests", "service.engine"},
    "release": {"release", *SERVICE},
    # It runs the other rooms as modules, when a command asks for them.
    "packed_sentiment": {"packed_sentiment", "service"},
}
# They put the rooms of the service together.
COMPOSING = {"service/host.py", "service/__main__.py"}
ROOMS_OF_THE_SERVICE = {name.replace("/", ".") for name in ALLOWED if name.startswith("service")}
SERVING_NEVER_NEEDS = {"matplotlib", "onnx", "safetensors", "rich"}


def room(path: str) -> str | None:
    """The room of a file: ``service/engine/bundle.py`` stands in ``service/engine``."""
    return next((name for name in ALLOWED if f"{path}/".startswith(f"{name}/")), None)


def imported_modules(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that the rule can be read off them"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)


def violations(path: str, source: str) -> list[str]:
    home = room(path)
    assert home is not None
    allowed = ROOMS_OF_THE_SERVICE if path in COMPOSING else ALLOWED[home]
    found = []
    for module in imported_modules(source):
        target = room(module.replace(".", "/"))
        if target is not None and target.replace("/", ".") not in allowed:
            found.append(f"{path} imports {module}")
        if home.startswith("service") and module.split(".")[0] in SERVING_NEVER_NEEDS:
            found.append(f"{path} imports {module}, which serving does without")
    return found


def source_files() -> list[Path]:
    return [
        path
        for name in (
            "packed_sentiment",
            "service",
            "model_export",
            "textbook",
            "load_tests",
            "release",
        )
        for path in (ROOT / name).rglob("*.py")
    ]


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_stay_within_the_allowed_rooms(path: Path) -> None:
    assert violations(str(path.relative_to(ROOT)), path.read_text()) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("service/engine/bundle.py", "from service.settings import Settings"),
        ("service/engine/bundle.py", "import model_export.train"),
        ("service/app.py", "from model_export import train"),
        ("service/wire.py", "from service.queueing.scheduler import Scheduler"),
        ("service/worker/inference_loop.py", "from service.http.reply import ReplyWriter"),
        ("service/queueing/scheduler.py", "from service.worker.inference_api import InferenceApi"),
        ("model_export/train.py", "import service.settings"),
        ("model_export/train.py", "from service import settings"),
        ("model_export/ablation.py", "from textbook.machine import Machine"),
        ("textbook/speed.py", "from service.settings import Settings"),
        ("service/engine/golden.py", "import textbook.speed"),
        ("load_tests/baselines.py", "from model_export.dataset import read"),
        ("service/engine/bundle.py", "import safetensors"),
    ],
)
def test_the_rule_refuses_what_it_should(path: str, source: str) -> None:
    assert violations(path, source)
