"""Where a training runs."""

import re

import torch

from model_export.errors import ModelExportError


def check_device(device: str) -> None:
    """Raises ModelExportError unless it is ``cpu``, ``cuda`` or ``cuda:<number>`` and is there."""
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", device)
    if match is None:
        raise ModelExportError(f"device {device} is none of cpu, cuda and cuda:<number>")
    if device == "cpu":
        return
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(match[1] or 0) >= devices:
        raise ModelExportError(f"device {device}: torch sees {devices} CUDA devices here")
