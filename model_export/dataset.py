"""Directories of labelled texts as JSON lines.

Every ``train*.jsonl`` and ``dev*.jsonl`` (``.gz`` too) below the data directory is read, and so is
``unlabelled*.jsonl``; a row is ``{"label": "positive", "text": "…"}``, its label null where nobody
knows it. A file's name in reports is its path without endings: ``imdb/train``.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from model_export.errors import ModelExportError

SPLITS = ("train", "dev", "unlabelled")


@dataclass(frozen=True)
class DataFile:
    name: str
    split: str
    path: Path

    def sha256(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Texts:
    """``labels[i]`` is the logit index of ``texts[i]``, or -1 where the label is unknown."""

    texts: list[str]
    labels: list[int]


def find_data_files(directory: Path) -> list[DataFile]:
    """Raises ModelExportError when there is no training file."""
    if not directory.is_dir():
        raise ModelExportError(f"{directory}: is not a directory")
    files = []
    for path in sorted([*directory.rglob("*.jsonl"), *directory.rglob("*.jsonl.gz")]):
        stem = path.name.removesuffix(".gz").removesuffix(".jsonl")
        split = next((split for split in SPLITS if stem.startswith(split)), None)
        if split is not None:
            name = path.relative_to(directory).with_name(stem).as_posix()
            files.append(DataFile(name, split, path))
    if not any(file.split == "train" for file in files):
        raise ModelExportError(f"{directory}: holds no train*.jsonl or train*.jsonl.gz")
    return files


def read_texts(file: DataFile, label_values: list[str]) -> Texts:
    """Raises ModelExportError naming file, line and reason at the first bad row."""
    texts, labels = [], []
    try:
        with open_text(file.path) as lines:
            for line in lines:
                text, label = parse_row(line, label_values)
                texts.append(text)
                labels.append(label)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ModelExportError(f"{file.path}:{len(texts) + 1}: {error}") from error
    return Texts(texts, labels)


def open_text(path: Path) -> IO[str]:
    # newline="\n": texts hold U+0085 and the like, at which universal newlines would cut a row.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def parse_row(line: str, label_values: list[str]) -> tuple[str, int]:
    """Raises ValueError with the reason."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error})") from error
    if not isinstance(row, dict):
        raise ValueError("is not a JSON object")
    text, label = row.get("text"), row.get("label")
    if not isinstance(text, str):
        raise ValueError('"text" is missing or not a string')
    if not text.strip():
        raise ValueError('"text" is blank')
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError('"text" holds half a surrogate pair, which is no character') from error
    if label is None:
        return text, -1
    if str(label) not in label_values:
        known = ", ".join(label_values)
        raise ValueError(f'"label" is {label!r}, which is not among the configured {known}')
    return text, label_values.index(str(label))


def iterate_texts(files: list[DataFile], label_values: list[str]) -> Iterator[str]:
    for file in files:
        yield from read_texts(file, label_values).texts
