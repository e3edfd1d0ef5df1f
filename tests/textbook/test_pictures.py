"""The pictures draw; whether they are worth looking at, only looking tells."""

from pathlib import Path

from textbook.pictures import draw_packing

PNG = b"\x89PNG\r\n\x1a\n"


def test_packing_is_drawn(tmp_path: Path) -> None:
    draw_packing(tmp_path / "pictures" / "packing.png", [2, 4, 1])
    assert (tmp_path / "pictures" / "packing.png").read_bytes().startswith(PNG)
