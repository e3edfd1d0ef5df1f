"""The pictures draw; whether they are worth looking at, only looking tells."""

from pathlib import Path

import numpy as np

from model_export.pictures import draw_gates, draw_packing

PNG = b"\x89PNG\r\n\x1a\n"


def test_packing_is_drawn(tmp_path: Path) -> None:
    draw_packing(tmp_path / "pictures" / "packing.png", [2, 4, 1])
    assert (tmp_path / "pictures" / "packing.png").read_bytes().startswith(PNG)


def test_gates_are_drawn(tmp_path: Path) -> None:
    gates = {name: np.linspace(0, 1, 6).reshape(3, 2) for name in "ifgoch"}
    draw_gates(tmp_path / "gates.png", ["not", "bad", "!"], gates, "three tokens")
    assert (tmp_path / "gates.png").read_bytes().startswith(PNG)
