"""The loop that pretraining and training share: update after update, timed, shown and saved."""

import time
from collections.abc import Callable, Iterable, Sequence

import torch
from rich.console import Console
from torch import Tensor, nn

from model_export.checkpoint import Checkpoint, Place
from model_export.progress import TokenProgress
from model_export.team import Team


class Updates:
    """AdamW for batches of which each process of a team learns a share."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        gradient_norm: float,
        team: Team,
        weight_decay: float = 0.0,
    ) -> None:
        self.parameters, self.gradient_norm, self.team = list(parameters), gradient_norm, team
        self.optimiser = torch.optim.AdamW(self.parameters, weight_decay=weight_decay, fused=True)

    def update(self, rate: float, learn: Callable[[], Tensor]) -> float:
        """One update at the learning rate ``rate``; returns the loss of the whole batch.

        ``learn`` adds the gradients of this process's share and returns its part of the loss.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss = learn()
        self.team.sum_gradients(self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, self.gradient_norm)
        self.optimiser.step()
        return float(self.team.sum(loss.detach().clone()))

    def forget(self) -> None:
        """Begin anew without the moments of the gradients so far."""
        self.optimiser.state.clear()


def take_steps(
    title: str,
    batch_tokens: Sequence[int],
    update: Callable[[], float],
    place: Place,
    checkpoint: Checkpoint,
    console: Console,
) -> None:
    """Call ``update``, which returns its loss, for every batch from ``place.step`` on."""
    done = sum(batch_tokens[: place.step])
    with TokenProgress(console, title, sum(batch_tokens), done) as progress:
        while place.step < len(batch_tokens):
            tokens = batch_tokens[place.step]
            began = time.perf_counter()
            loss = update()
            place.advance(loss, tokens, time.perf_counter() - began)
            progress.advance(tokens, f"loss {place.shown_loss:.3f}")
            checkpoint.save_if_due(place)
