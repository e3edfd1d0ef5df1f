"""Where a training runs and with whom."""

from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from model_export.checkpoint import Checkpoint, Part
from model_export.run import Run
from model_export.team import Team

SAVE_SECONDS = 60.0


@dataclass(frozen=True)
class Environment:
    """``run`` keeps what is learned; a kill may lose ``save_seconds`` of work."""

    run: Run
    device: torch.device
    team: Team
    console: Console
    save_seconds: float = SAVE_SECONDS

    def checkpoint(self, path: Path, **parts: Part) -> Checkpoint:
        return Checkpoint(path, parts, self.team.leads, self.save_seconds)
