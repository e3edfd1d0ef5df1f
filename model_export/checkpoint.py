"""One file from which a training goes on after a kill: where it stood, and all that it learned."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from model_export.run import load_tensors, save_tensors


@dataclass
class Place:
    """Where a training stands: the next step, and what all steps so far took."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def advance(self, loss: float, tokens: int, seconds: float) -> None:
        """Count one more step, whose batch of ``tokens`` had this loss."""
        self.step += 1
        self.tokens += tokens
        self.seconds += seconds

    @property
    def shown_loss(self) -> float:
        """The loss that tells a reader how the training is going."""
        raise NotImplementedError


class Part(Protocol):
    """A network or an optimiser."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: Any, /) -> object: ...


class Checkpoint:
    """The file at ``path``, whole at any moment; only the leader of a team writes it."""

    def __init__(
        self, path: Path, parts: Mapping[str, Part], leads: bool, save_seconds: float
    ) -> None:
        self.path, self.parts = path, parts
        self.leads, self.save_seconds = leads, save_seconds
        self.saved_at = time.monotonic()

    def exists(self) -> bool:
        return self.path.exists()

    def save(self, place: Place) -> None:
        if not self.leads:
            return
        states = {name: part.state_dict() for name, part in self.parts.items()}
        save_tensors(self.path, {"state": vars(place), **states})
        self.saved_at = time.monotonic()

    def save_if_due(self, place: Place) -> None:
        if time.monotonic() - self.saved_at > self.save_seconds:
            self.save(place)

    def load(self) -> dict[str, Any]:
        """Put all parts back as they were; returns the fields of the place."""
        stored = load_tensors(self.path)
        for name, part in self.parts.items():
            part.load_state_dict(stored[name])
        fields: dict[str, Any] = stored["state"]
        return fields
