"""What is in the image, what it says about itself, and what must not be inside."""

from pathlib import Path

import pytest

from service import __version__
from tests.image.built_image import BuiltImage

# The build is in the first test that asks for it.
pytestmark = pytest.mark.timeout(900)

ADDED_BYTES_LIMIT = 260e6  # over the base image
SERVING_DOES_WITHOUT = ["torch", "onnx", "safetensors", "matplotlib", "rich", "locust", "pytest"]
INSTALLERS = ["pip", "setuptools", "wheel"]


def test_its_size(image: BuiltImage, capsys: pytest.CaptureFixture[str]) -> None:
    added = image.bytes - image.base_bytes
    with capsys.disabled():
        print(f"\nimage cpu: {image.bytes / 1e6:.0f} MB, {added / 1e6:.0f} MB of it over the base")
    assert added < ADDED_BYTES_LIMIT


@pytest.mark.parametrize("package", SERVING_DOES_WITHOUT + INSTALLERS)
def test_no_package_is_installed_that_serving_does_without(image: BuiltImage, package: str) -> None:
    assert not (image.site_packages / package).exists()


def test_the_application_is_the_service_its_bundle_and_the_licence(image: BuiltImage) -> None:
    assert {path.name for path in (image.root / "app").iterdir()} == {
        "LICENSE",
        "models",
        "service",
    }
    assert [path.name for path in (image.root / "app/models").iterdir()] == ["sentiment"]


def test_nothing_of_tests_training_or_the_build_is_inside(image: BuiltImage) -> None:
    names = {"tests", "model_export", "load_tests", "wheels", "constraints.txt", ".git"}
    places = [image.root / "app", image.root / "opt", image.root / "build", image.root / "tmp"]
    found = [path for place in places for path in place.rglob("*") if path.name in names]
    assert found == []
    assert list((image.root / "opt").iterdir()) == [image.root / "opt/venv"]


def test_no_compiler_is_inside(image: BuiltImage) -> None:
    for name in ("gcc", "cc", "g++", "make", "git"):
        assert not (image.root / "usr/bin" / name).exists(), name


def test_nothing_that_the_service_runs_is_writable_by_it(image: BuiltImage) -> None:
    def writable(path: Path) -> bool:
        status = path.lstat()
        return not path.is_symlink() and (status.st_uid != 0 or bool(status.st_mode & 0o022))

    places = [image.root / "app", image.root / "opt"]
    assert [path for place in places for path in place.rglob("*") if writable(path)] == []


def test_it_says_how_it_is_started_stopped_and_checked(image: BuiltImage) -> None:
    config = image.config
    assert config["Entrypoint"] == ["/opt/venv/bin/python", "-m", "service"]
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert set(config["ExposedPorts"]) == {"8000/tcp"}


def test_its_labels_name_version_revision_and_licence(image: BuiltImage) -> None:
    prefix = "org.opencontainers.image."
    assert image.labels[f"{prefix}version"] == __version__
    assert len(image.labels[f"{prefix}revision"]) == 40
    assert image.labels[f"{prefix}licenses"] == "Apache-2.0"
