"""Files fetched whole: with progress, going on where a broken transfer ended, checked by digest."""

import hashlib
import http
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from model_export.errors import ModelExportError

CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 30.0
TRIES = 5


@dataclass(frozen=True)
class Archive:
    """``digest`` is ``algorithm:hexadecimal``; ``size`` is in bytes."""

    url: str
    digest: str
    size: int

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


def download(archive: Archive, directory: Path, console: Console) -> Path:
    """The file, from ``directory`` if it is there already.

    Raises:
        ModelExportError: it cannot be fetched, or is not the file that the digest names; what a
            broken transfer left is kept for the next try, a wrong file is not.
    """
    path = directory / archive.name
    if path.exists() and matches(path, archive):
        return path
    directory.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    progress = Progress(
        TextColumn(archive.name),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=archive.size)
        for _ in range(TRIES):
            problem = "the transfer broke off"
            try:
                for received in transfer(archive, part):
                    progress.update(task, completed=received)
            except urllib.error.HTTPError as error:
                problem = str(error)
                break
            except (OSError, http.client.HTTPException) as error:
                problem = str(error)
            if size_of(part) >= archive.size:
                break
    if size_of(part) < archive.size:
        raise ModelExportError(
            f"{archive.url}: {problem} after {size_of(part):,} of {archive.size:,} bytes; the same "
            "command goes on from there"
        )
    if not matches(part, archive):
        part.unlink()
        raise ModelExportError(f"{archive.url}: sent a file that is not {archive.digest}")
    part.replace(path)
    return path


def transfer(archive: Archive, part: Path) -> Iterator[int]:
    """Append what is missing to ``part``, yielding its size in bytes as it grows."""
    received = size_of(part)
    if received >= archive.size:
        return
    request = urllib.request.Request(archive.url, headers={"Range": f"bytes={received}-"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            received = 0  # the server sends everything whatever was asked for
        with part.open("ab" if received else "wb") as file:
            # A byte beyond the expected size is enough to see that it is another file.
            while received <= archive.size and (chunk := response.read(CHUNK_BYTES)):
                file.write(chunk)
                received += len(chunk)
                yield received


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def matches(path: Path, archive: Archive) -> bool:
    if size_of(path) != archive.size:
        return False
    algorithm, _, expected = archive.digest.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == expected
