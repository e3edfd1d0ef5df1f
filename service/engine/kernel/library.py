"""The compiled kernel, found, checked and opened with ctypes, which releases the GIL in calls."""

import ctypes
import os
import struct
from functools import cache
from pathlib import Path

from service.engine.kernel import KernelError

ABI = 1  # PACKED_ABI of source/packed.h
LIBRARY = f"libpacked_{ABI}.so"
LAYERS, DIRECTIONS = 4, 2

Pointers = ctypes.c_void_p * (LAYERS * DIRECTIONS)


class Sizes(ctypes.Structure):
    """``packed_sizes`` of source/packed.h."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("cell", "bits", "layers", "directions")),
        *((name, ctypes.c_int32) for name in ("hidden", "embedding", "vocabulary", "labels")),
        ("table_budget", ctypes.c_int64),
    )


class Weights(ctypes.Structure):
    """``packed_weights`` of source/packed.h."""

    _fields_ = (
        ("embedding", ctypes.c_void_p),
        *((n, Pointers) for n in ("input", "recurrent", "input_bias", "recurrent_bias")),
        ("linear", ctypes.c_void_p),
        ("linear_bias", ctypes.c_void_p),
    )


SIGNATURES = {
    "packed_arithmetic": (ctypes.c_int32, []),
    "packed_error": (ctypes.c_char_p, [ctypes.c_int32]),
    "packed_instruction_set": (ctypes.c_char_p, [ctypes.c_int32]),
    "packed_blob_bytes": (
        ctypes.c_int32,
        [ctypes.c_char_p, ctypes.POINTER(Sizes), ctypes.POINTER(ctypes.c_uint64)],
    ),
    "packed_build": (
        ctypes.c_int32,
        [
            ctypes.c_char_p,
            ctypes.POINTER(Sizes),
            ctypes.POINTER(Weights),
            ctypes.c_void_p,
            ctypes.c_uint64,
        ],
    ),
    "packed_check": (ctypes.c_int32, [ctypes.c_void_p, ctypes.c_uint64]),
    "packed_arena_bytes": (
        ctypes.c_int32,
        [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, ctypes.POINTER(ctypes.c_uint64)],
    ),
    "packed_run": (
        ctypes.c_int32,
        [
            *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32),
            *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64),
        ],
    ),
}


class Library:
    """The functions of one library file.

    Raises:
        KernelError: there is no such file, it is no library for this machine, or it is of another
            version.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise KernelError(
                f"the packed kernel is not compiled ({path.name} is missing):"
                " run python -m service.engine.kernel.build"
            )
        if not is_whole(path):
            raise KernelError(f"{path} is cut off or no library")
        try:
            self.functions = ctypes.CDLL(str(path))
            abi = self.functions.packed_abi()
        except (OSError, AttributeError) as error:
            raise KernelError(f"{path} is no library of the packed kernel: {error}") from None
        if abi != ABI:
            raise KernelError(
                f"{path} is the packed kernel's interface {abi}, this service needs {ABI}:"
                " run python -m service.engine.kernel.build"
            )
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(self.functions, name)
            function.restype, function.argtypes = result, arguments
        self.arithmetic: int = self.functions.packed_arithmetic()

    def instruction_sets(self) -> list[str]:
        """What this processor has, fastest first, and ``reference`` at the end."""
        names: list[str] = []
        while name := self.functions.packed_instruction_set(len(names)):
            names.append(name.decode())
        return names

    def choose(self, instruction_set: str | None) -> str:
        """The name given, or the fastest of this processor.

        Raises:
            KernelError: the processor lacks it, or has none beside the reference.
        """
        names = self.instruction_sets()
        if instruction_set is None and names[0] != "reference":
            return names[0]
        if instruction_set is None:
            raise KernelError("the packed kernel needs a processor with AVX2 or NEON")
        if instruction_set not in names:
            raise KernelError(f"this processor lacks {instruction_set}; it has {', '.join(names)}")
        return instruction_set

    def check(self, code: int) -> None:
        """Raise a KernelError for any code but 0."""
        if code:
            raise KernelError(self.functions.packed_error(code).decode())


def is_whole(path: Path) -> bool:
    """Whether an ELF file holds its last part, the table of its sections (ELF-64, figure 3).

    The system's loader maps a file that was cut off, and then reading it kills the process.
    """
    with path.open("rb") as file:
        header, size = file.read(64), os.fstat(file.fileno()).st_size
    if len(header) < 64 or not header.startswith(b"\x7fELF"):
        return False
    (table,) = struct.unpack_from("<Q", header, 0x28)
    entry_bytes, entries = struct.unpack_from("<HH", header, 0x3A)
    return bool(0 < table <= size - entry_bytes * entries)


@cache
def load_library(path: Path = Path(__file__).parent / LIBRARY) -> Library:
    """The library that stands beside this file, opened once in a process."""
    return Library(path)
