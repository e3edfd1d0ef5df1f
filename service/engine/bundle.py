"""The bundle: one directory that holds a trained classifier and everything needed to serve it.

The format is described in ARCHITECTURE.md. Nothing of a bundle is used before its size and its
sha256 match the manifest, and what was hashed is what is used: files are read once, into memory.
A service holds its bundle: it reads every file at the start and never looks at the directory again.
"""

import errno
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
MANIFEST_BYTES_LIMIT = 1 << 20
FILE_BYTES_LIMIT = 256 << 20
# Of all files together, where a service holds them: ten times a large bundle.
HELD_BYTES_LIMIT = 256 << 20
# Parsed, these take some tens of times their size.
PARSED_BYTES_LIMITS = {"golden.json": 4 << 20, "tokenizer.json": 32 << 20}

Cell = Literal["lstm", "gru", "rnn"]
Label = Annotated[str, Field(min_length=1, max_length=200)]
# A plain name: nothing outside the directory has one.
FileName = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]


class BundleError(Exception):
    """A bundle that must not be used; the message says why in one sentence."""


class FileEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=FILE_BYTES_LIMIT, description="bytes")


class Sizes(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    vocabulary: int = Field(ge=1, le=1 << 20)
    embedding: int = Field(ge=1, le=1 << 14)
    hidden: int = Field(ge=1, le=1 << 14, description="units per layer and direction")
    layers: int = Field(ge=1, le=64)
    directions: Literal[1, 2]


class Manifest(BaseModel):
    """What ``manifest.json`` says. ``files`` names every other file of the bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1]
    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")
    version: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._+-]+$")
    labels: list[Label] = Field(min_length=2, max_length=1000, description="in logit order")
    cell: Cell
    sizes: Sizes
    max_tokens: int = Field(ge=1, le=1 << 20)
    backends: list[str] = Field(description="the backends the bundle was verified with, in order")
    training: dict[str, Any]
    metrics: dict[str, Any]
    files: dict[FileName, FileEntry] = Field(max_length=100)


class Bundle:
    """A bundle directory whose manifest has been read and checked.

    ``digest`` is the sha256 of ``manifest.json``, which in turn holds that of every file: it
    names the bundle's whole content. A held bundle can be pickled and read wherever it arrives.

    Raises:
        BundleError: the directory or its manifest is missing, unreadable or of another format.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._contents: dict[str, bytes] = {}
        if not directory.is_dir():
            raise BundleError(f"there is no bundle at {directory}: no such directory")
        text = _read_regular_file(directory / MANIFEST, MANIFEST_BYTES_LIMIT)
        self.digest = hashlib.sha256(text).hexdigest()
        try:
            self.manifest = Manifest.model_validate_json(text)
        except ValidationError as error:
            raise BundleError(f"{directory / MANIFEST}: {_first_problem(error)}") from None
        if len(set(self.manifest.labels)) != len(self.manifest.labels):
            raise BundleError(f"{directory / MANIFEST}: labels repeat")
        try:
            json.dumps([self.manifest.training, self.manifest.metrics], allow_nan=False)
        except ValueError:
            raise BundleError(f"{directory / MANIFEST}: a number is not finite") from None

    def hold(self) -> None:
        """Read every file: from now on what becomes of the directory changes nothing.

        Raises:
            BundleError: a file is missing or is not what was hashed, whether it is needed or not,
                or all of them are too much to be held.
        """
        held_bytes = sum(entry.size for entry in self.manifest.files.values())
        if held_bytes > HELD_BYTES_LIMIT:
            raise BundleError(
                f"the bundle {self.directory} has {held_bytes} bytes, more than {HELD_BYTES_LIMIT}"
            )
        self._contents = {name: self.read(name) for name in self.manifest.files}

    def read(self, name: str) -> bytes:
        """The bytes of a file, proven to be those that the manifest names.

        Raises:
            BundleError: the file is not in the manifest, missing, or not what was hashed.
        """
        if name in self._contents:
            return self._contents[name]
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleError(f"the bundle {self.directory} has no {name}")
        path = self.directory / name
        limit = PARSED_BYTES_LIMITS.get(name, FILE_BYTES_LIMIT)
        if entry.size > limit:
            raise BundleError(f"{path} has {entry.size} bytes, more than {limit}")
        content = _read_regular_file(path, entry.size)
        if len(content) != entry.size:
            raise BundleError(f"{path} has {len(content)} bytes, its manifest says {entry.size}")
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise BundleError(f"{path} is not the file that its manifest names (sha256 differs)")
        return content


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(_in_one_line(str(part)[:100]) for part in problem["loc"])
    if field == "format_version":
        return f"its format is not version {FORMAT_VERSION}, the one this release reads"
    return f"{field}: {problem['msg']}" if field else str(problem["msg"])


def _in_one_line(name: str) -> str:
    """A name as somebody's manifest has it, who may have put a line break in."""
    return name if name.isprintable() else ascii(name)


def _read_regular_file(path: Path, size_limit: int) -> bytes:
    """Read at most ``size_limit`` bytes; links and devices are refused, so nothing else is read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BundleError(f"{path} is a symbolic link, which is not followed") from None
        raise BundleError(f"{path} can't be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{path} is not a regular file")
        if status.st_size > size_limit:
            raise BundleError(f"{path} has {status.st_size} bytes, more than {size_limit}")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(status.st_size)
    finally:
        os.close(descriptor)
