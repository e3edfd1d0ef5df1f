"""Compile the kernel's shared library: ``python -m service.engine.kernel.build``."""

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from service.engine.kernel import KernelError
from service.engine.kernel.library import LIBRARY

SOURCE = Path(__file__).parent / "source"
# No exception and no type information is used, so no C++ runtime is needed either. A contracted
# a * b + c would round once where the source says twice: other bits.
FLAGS = [
    *("-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off"),
    *("-fno-exceptions", "-fno-rtti"),
]
# Optimised, gcc takes minutes to compile what the sanitizers add.
SANITIZERS = ["-O0", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
LINK_FLAGS = ["-shared", "-Wl,--as-needed", "-lm"]
AVX2 = ["-mavx2", "-mfma"]
AVX512_VNNI = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni"]

# Each object with its source and the instructions that only this one may use.
OBJECTS = {
    "x86_64": {
        "avx2.o": ("avx2.cpp", AVX2),
        "avx512_vnni.o": ("avx512_vnni.cpp", AVX512_VNNI),
    },
    "aarch64": {
        "neon.o": ("neon.cpp", []),
        "neon_dotprod.o": ("neon.cpp", ["-march=armv8.2-a+dotprod"]),
    },
}
EVERYWHERE: dict[str, tuple[str, list[str]]] = {
    "packed.o": ("packed.cpp", []),
    "reference.o": ("reference.cpp", []),
}


def compile_kernel(
    target_directory: Path,
    compiler: list[str] | None = None,
    sanitizers: bool = False,
    target: str | None = None,
) -> Path:
    """Compile the library for ``target`` (``x86_64`` or ``aarch64``; this machine's if None).

    ``compiler`` are the words that begin its command line. The library appears whole or not at all.

    Raises:
        KernelError: there is no compiler, or it refuses the source.
    """
    machine = target or platform.machine()
    compiler = compiler or find_compiler(machine)
    flags = FLAGS + (SANITIZERS if sanitizers else [])
    library = target_directory / LIBRARY
    with tempfile.TemporaryDirectory(dir=target_directory) as name:
        directory = Path(name)
        objects = EVERYWHERE | OBJECTS.get(machine, {})
        run_all(
            [*compiler, *flags, *own, "-c", str(SOURCE / source), "-o", str(directory / object_)]
            for object_, (source, own) in objects.items()
        )
        linked = directory / LIBRARY
        parts = [str(directory / object_) for object_ in objects]
        run_all([[*compiler, *flags, *parts, *LINK_FLAGS, "-o", str(linked)]])
        linked.replace(library)
    return library


def find_compiler(machine: str) -> list[str]:
    """``$CXX``, the system's compiler, or the one that PyPI ships as ``ziglang``."""
    native = machine == platform.machine()
    if native and os.environ.get("CXX"):
        return shlex.split(os.environ["CXX"])
    names = ("c++", "g++", "clang++") if native else (f"{machine}-linux-gnu-g++",)
    for name in names:
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang"):
        # The oldest C library that manylinux2014 promises.
        return [sys.executable, "-m", "ziglang", "c++", "-target", f"{machine}-linux-gnu.2.17"]
    raise KernelError(
        f"no C++ compiler for {machine} was found: install g++, clang or ziglang, or set CXX"
    )


def run_all(commands: Iterable[list[str]]) -> None:
    """Run all commands at the same time; the first that fails is told."""
    running = []
    for command in commands:
        try:
            process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            running.append((command, process))
        except OSError as error:
            raise KernelError(f"the compiler {command[0]} does not run: {error}") from None
    ended = [(command, process, process.communicate()[1]) for command, process in running]
    for command, process, output in ended:
        if process.returncode:
            lines = output.strip().splitlines() or ["it says nothing"]
            raise KernelError(f"{shlex.join(command)} failed: {lines[0]}")


if __name__ == "__main__":
    try:
        print(compile_kernel(Path(__file__).parent))
    except KernelError as error:
        raise SystemExit(str(error)) from None
