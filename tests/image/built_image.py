"""The real Dockerfile built with buildah, on a base made by debootstrap."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service import __version__

ROOT = Path(__file__).parent.parent.parent
BASE_ARCHIVE = ROOT / "build" / "base.tar"
BASE_IMAGE = "localhost/base:bookworm"


@dataclass(frozen=True)
class BuiltImage:
    root: Path  # its file system
    config: dict[str, Any]
    labels: dict[str, str]
    bytes: int
    base_bytes: int

    @property
    def site_packages(self) -> Path:
        return next((self.root / "opt/venv/lib").glob("python3*/site-packages"))


class Buildah:
    """Buildah with a store of its own; needs root, and no daemon."""

    def __init__(self, directory: Path) -> None:
        configuration = directory / "storage.conf"
        configuration.write_text(
            f'[storage]\ndriver = "vfs"\n'
            f'graphroot = "{directory / "graph"}"\nrunroot = "{directory / "run"}"\n'
        )
        self.environment = {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(configuration),
            "BUILDAH_ISOLATION": "chroot",
        }

    def __call__(self, *arguments: str) -> str:
        return self.run("buildah", *arguments)

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def inspect(self, image: str) -> dict[str, Any]:
        inspection: dict[str, Any] = json.loads(self("inspect", "--type", "image", image))
        return inspection

    def size(self, image: str) -> int:
        listed = json.loads(self("images", "--json", image))[0]["size"]
        number, unit = listed.split()
        return round(float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit])


@contextmanager
def built_image(directory: Path) -> Iterator[BuiltImage]:
    """Run ``make image`` with buildah and mount the result."""
    buildah = Buildah(directory)
    base = buildah("from", "scratch")
    buildah("add", "--quiet", base, str(BASE_ARCHIVE), "/")
    buildah("commit", "--quiet", "--format", "docker", "--rm", base, BASE_IMAGE)
    name = "localhost/image-under-test"
    buildah.run("make", "image", "ENGINE=buildah", f"BASE_IMAGE={BASE_IMAGE}", f"IMAGE={name}")
    tagged = f"{name}:{__version__}-cpu"
    container = buildah("from", tagged)
    inspection = buildah.inspect(tagged)
    try:
        yield BuiltImage(
            root=Path(buildah("mount", container)),
            config=inspection["Docker"]["config"],
            labels=inspection["Docker"]["config"]["Labels"],
            bytes=buildah.size(tagged),
            base_bytes=buildah.size(BASE_IMAGE),
        )
    finally:
        buildah("rm", "--all")
        buildah("rmi", "--all", "--force")
