"""A run directory: what a training has done so far, every file whole at any moment.

``run.json``, ``tokenizer.json``, ``cache/`` (token ids), ``embedding.pt``, ``pretraining.pt`` and
``checkpoint.pt`` (to go on from), ``soft_labels-*.pt``, ``weights-*.pt`` (of epochs to merge),
``best.pt`` (to export), ``history.json``.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from model_export.configuration import Configuration
from model_export.errors import ModelExportError, first_problem


@dataclass(frozen=True)
class Run:
    directory: Path

    @property
    def tokenizer(self) -> Path:
        return self.directory / "tokenizer.json"

    @property
    def cache(self) -> Path:
        return self.directory / "cache"

    @property
    def pretraining(self) -> Path:
        return self.directory / "pretraining.pt"

    @property
    def checkpoint(self) -> Path:
        return self.directory / "checkpoint.pt"

    @property
    def best(self) -> Path:
        return self.directory / "best.pt"

    def weights(self, epoch: int) -> Path:
        return self.directory / f"weights-{epoch}.pt"

    def open_for(self, configuration: Configuration, data: dict[str, str]) -> None:
        """Make the directory, or check that it belongs to this configuration and these files.

        ``data`` holds the sha256 of each file by name.
        """
        facts = {"configuration": configuration.model_dump(mode="json"), "data_sha256": data}
        if self.facts_path.exists():
            if json.loads(self.facts_path.read_text()) != facts:
                raise ModelExportError(
                    f"{self.directory}: belongs to another configuration or other data; "
                    "name a new run directory, or delete this one"
                )
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        write_whole(
            self.facts_path, lambda path: path.write_text(json.dumps(facts, indent=2) + "\n")
        )

    @property
    def facts_path(self) -> Path:
        return self.directory / "run.json"

    def borrow(self, other: "Run") -> None:
        """Copy what another run made before its first epoch, if it would be the same here."""
        mine, others = self.configuration(), other.configuration()
        same = ["vocabulary", "labels"]
        if self.data_sha256() != other.data_sha256() or not agree(mine, others, same):
            return
        names = ["tokenizer.json", "cache", "soft_labels-ngrams.pt"]
        if mine.model.embedding_size == others.model.embedding_size:
            names.append("embedding.pt")
        begins = mine.training.pretrained_embedding == others.training.pretrained_embedding
        if begins and agree(mine, others, ["seed", "precision", "model", "pretraining"]):
            names.append("pretraining.pt")
        for name in names:
            source, target = other.directory / name, self.directory / name
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif source.exists() and not target.exists():
                shutil.copyfile(source, target)

    def configuration(self) -> Configuration:
        """Raises ModelExportError when this is no run, or one of a release with other settings."""
        try:
            return Configuration.model_validate(self._facts()["configuration"])
        except ValidationError as error:
            raise ModelExportError(
                f"{self.directory}: belongs to another release ({first_problem(error)})"
            ) from error

    def data_sha256(self) -> dict[str, str]:
        return dict(self._facts()["data_sha256"])

    def _facts(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads(self.facts_path.read_text())
        except OSError as error:
            raise ModelExportError(f"{self.directory}: is not a training run") from error
        return facts


def agree(one: Configuration, other: Configuration, sections: list[str]) -> bool:
    return all(getattr(one, section) == getattr(other, section) for section in sections)


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path`` and put it there in one step, so that a kill at any
    moment leaves the old contents or the new."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    write(unfinished)
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)


def save_tensors(path: Path, contents: object) -> None:
    write_whole(path, lambda unfinished: torch.save(contents, unfinished))


def load_tensors(path: Path) -> Any:
    """Only tensors and plain values: the unpickler is told to build nothing else."""
    return torch.load(path, weights_only=True, map_location="cpu")
