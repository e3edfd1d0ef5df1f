"""From texts to the best weights, stoppable and resumable at any moment.

A run killed anywhere and started again ends with the weights of an uninterrupted one: each epoch's
batches are a function of seed and epoch, each step seeds its own dropout, and everything else
stands in the checkpoint.
"""

from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from model_export.configuration import Configuration
from model_export.dataset import find_data_files
from model_export.device import check_device
from model_export.environment import SAVE_SECONDS, Environment
from model_export.preparation import prepare
from model_export.pretraining import Pretrainer
from model_export.run import Run
from model_export.team import Team, assemble
from model_export.trainer import Trainer


def train(
    configuration: Configuration,
    data: Path,
    run: Run,
    device: str,
    processes: int,
    console: Console,
    save_seconds: float = SAVE_SECONDS,
) -> None:
    """Train until the epochs are done or patience ends, leaving ``best.pt`` in the run.

    Raises:
        ModelExportError: bad data, a run directory that belongs to something else, or no such
            device.
    """
    check_device(device)
    files = find_data_files(data)
    run.open_for(configuration, {file.name: file.sha256() for file in files})
    prepare(configuration, files, run, console)  # for all processes, before they start
    follow = partial(fit, configuration, data, run, device, save_seconds)
    with assemble(processes, follow) as team:
        follow(team, console)


def fit(
    configuration: Configuration,
    data: Path,
    run: Run,
    device: str,
    save_seconds: float,
    team: Team,
    console: Console | None = None,
) -> None:
    """What each process of a team does with the prepared run; only the leader has a console."""
    if device == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // team.size))
        # Denormal gradients make an LSTM's backward pass ten times slower.
        torch.set_flush_denormal(True)
    quiet = Console(quiet=True)
    prepared = prepare(configuration, find_data_files(data), run, quiet)
    environment = Environment(run, torch.device(device), team, console or quiet, save_seconds)
    trainer = Trainer(configuration, prepared, environment)
    if configuration.pretraining and not run.checkpoint.exists():
        pretrainer = Pretrainer(configuration, configuration.pretraining, prepared, environment)
        trainer.begin_from(pretrainer.fit())
    trainer.fit()
