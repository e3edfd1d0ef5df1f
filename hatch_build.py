"""What a wheel holds beside its sources: the shipped bundle and the compiled packed kernel.

A wheel with the kernel is for one processor, ``py3-none-manylinux_2_17_x86_64``; where there is no
compiler it is made without, and the service runs the model in ONNX Runtime. An editable install
compiles the kernel beside its sources. ``KERNEL_MACHINE=aarch64`` compiles for another processor,
with the compiler that PyPI ships as ``ziglang``.
"""

import importlib
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = "models/sentiment"
KERNEL = "service/engine/kernel"
# The oldest C library that a platform tag promises to do with, and that ziglang links against.
OLDEST_GLIBC = 17


class WheelContents(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it packs; ``version`` is ``standard`` or ``editable``."""
        root = Path(self.root)
        if version == "editable":
            self._compile(root, root / KERNEL)
            return
        build_data["force_include"][str(root / BUNDLE)] = f"service/{BUNDLE}"
        self._scratch = tempfile.TemporaryDirectory()
        library = self._compile(root, Path(self._scratch.name))
        if library is not None:
            build_data["force_include"][str(library)] = f"{KERNEL}/{library.name}"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform_tag(library.read_bytes(), machine())}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called once the wheel is packed."""
        if version != "editable":
            self._scratch.cleanup()

    def _compile(self, root: Path, directory: Path) -> Path | None:
        if not (root / KERNEL / "build.py").is_file():
            return None
        # The kernel knows its own sources and flags; it needs nothing installed to be compiled.
        sys.path.insert(0, str(root))
        build = importlib.import_module("service.engine.kernel.build")
        try:
            library: Path = build.compile_kernel(directory, cross_compiler(), target=machine())
        except build.KernelError as error:
            if "KERNEL_MACHINE" in os.environ:
                raise  # asked for by name
            self.app.display_warning(f"without the packed kernel: {error}")
            return None
        return library


def machine() -> str:
    return os.environ.get("KERNEL_MACHINE") or os.uname().machine


def cross_compiler() -> list[str] | None:
    """The one for ``KERNEL_MACHINE``; None: whichever this machine has."""
    if "KERNEL_MACHINE" not in os.environ:
        return None
    target = f"{machine()}-linux-gnu.2.{OLDEST_GLIBC}"
    return [sys.executable, "-m", "ziglang", "c++", "-target", target]


def platform_tag(library: bytes, machine: str) -> str:
    """The manylinux tag of PEP 600, from the newest version of glibc that the library names."""
    minors = [int(minor) for minor in re.findall(rb"\0GLIBC_2\.(\d+)", library)]
    if not minors:
        return f"linux_{machine}"  # another C library: for this machine only
    return f"manylinux_2_{max(OLDEST_GLIBC, *minors)}_{machine}"
