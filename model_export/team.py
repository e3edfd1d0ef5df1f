"""Processes that train one network together, each on its share of every batch.

A recurrent layer is a chain of small products that a second thread hardly speeds up, while a second
process on half of each batch nearly doubles the speed on two cores.
"""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from model_export.errors import ModelExportError


class Team:
    """One process's view: its ``rank`` among ``size``; rank 0 alone prints and writes files."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place.

        Raises:
            ModelExportError: at once when another process has died.
        """
        if self.size > 1:
            try:
                distributed.all_reduce(tensor)
            except RuntimeError as error:
                raise ModelExportError(
                    "a training process died; the same command goes on from the last checkpoint"
                ) from error
        return tensor

    def wait(self) -> None:
        """Return once all processes have come here: what the leader wrote before can then be read.

        Raises:
            ModelExportError: as ``sum`` does.
        """
        self.sum(torch.zeros(1))

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every parameter the sum of all processes' gradients.

        A process without a text of the batch has no gradients and adds zeros.
        """
        if self.size == 1:
            return
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()


@contextmanager
def assemble(size: int, follow: Callable[[Team], None]) -> Iterator[Team]:
    """Start ``size - 1`` processes that run ``follow`` beside the caller, who leads.

    They end with the caller however it ends: their next sum fails when its connection closes.
    ``follow`` must be picklable.
    """
    if size == 1:
        yield Team(0, 1)
        return
    with tempfile.TemporaryDirectory() as directory:
        meeting = Path(directory) / "meeting"
        context = multiprocessing.get_context("spawn")
        processes = [
            context.Process(target=join, args=(rank, size, meeting, follow), daemon=True)
            for rank in range(1, size)
        ]
        for process in processes:
            process.start()
        meet(0, size, meeting)
        try:
            yield Team(0, size)
        finally:
            distributed.destroy_process_group()
            for process in processes:
                process.join(10)


def join(rank: int, size: int, meeting: Path, follow: Callable[[Team], None]) -> None:
    meet(rank, size, meeting)
    # The leader tells the user what happened; this process only has to end.
    with suppress(ModelExportError, KeyboardInterrupt):
        follow(Team(rank, size))
    distributed.destroy_process_group()


def meet(rank: int, size: int, meeting: Path) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", init_method=meeting.as_uri(), rank=rank, world_size=size)
