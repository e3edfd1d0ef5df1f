"""What an environment installs, to the last dependency, with versions and licences."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CONSTRAINTS = Path("constraints.txt")
# Of packages that only a GPU environment installs, or whose metadata say nothing; read off their
# own licence files or the index.
LICENCES = {
    "atheris": "Apache-2.0",
    "cuda-bindings": "Apache-2.0",
    "cuda-pathfinder": "Apache-2.0",
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",
    "onnxruntime-gpu": "MIT",
    "nvidia-nvtx": "Apache-2.0",
    "triton": "MIT",
}
NVIDIA = "LicenseRef-NVIDIA-Proprietary"


@dataclass(frozen=True, slots=True)
class Dependency:
    name: str
    version: str
    licence: str
    requires: tuple[str, ...]  # canonical names

    @property
    def purl(self) -> str:
        """https://github.com/package-url/purl-spec"""
        return f"pkg:pypi/{self.name}@{self.version}"


def pinned_versions(constraints: Path = CONSTRAINTS) -> dict[str, str]:
    """Version by canonical name."""
    lines = constraints.read_text(encoding="utf-8").split("\n")
    pins = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(name): version.strip() for name, version in pins}


def dependencies(requirements: Iterable[str]) -> list[Dependency]:
    """Everything that the requirements install here, by name, at its pinned version.

    Raises:
        PackageNotFoundError: something is not installed, so its needs can't be known.
        KeyError: something is not pinned.
    """
    pins = pinned_versions()
    found: dict[str, Dependency] = {}
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        needed = _needed(distribution(name).requires or [], requirement.extras)
        names = {canonicalize_name(each.name) for each in needed}
        if name in found and names <= set(found[name].requires):
            continue
        known = found[name].requires if name in found else ()
        found[name] = Dependency(name, pins[name], licence(name), tuple(sorted({*known, *names})))
        waiting += needed
    return [found[name] for name in sorted(found)]


def _needed(lines: list[str], extras: set[str]) -> list[Requirement]:
    requirements = [Requirement(line) for line in lines]
    return [
        each
        for each in requirements
        if each.marker is None
        or any(each.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]


def licence(name: str) -> str:
    """What a package says its licence is; an SPDX expression where it gives one."""
    if name in LICENCES:
        return LICENCES[name]
    if name.startswith("nvidia-"):
        return NVIDIA
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return ""
    return _licence_of(metadata)


def _licence_of(metadata: PackageMetadata) -> str:
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier", [])
        if line.startswith("License :: ") and line.count(" :: ") > 1
    ]
    # The newer field, then the classifiers, then free text, which may be the licence in full.
    expressions = metadata.get_all("License-Expression", [])
    stated = [line.partition("\n")[0][:100] for line in metadata.get_all("License", [])]
    return " / ".join(expressions or classifiers or stated)
