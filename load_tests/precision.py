"""The precisions that are compared, and the backend that runs each."""

from typing import Literal

Precision = Literal["fp32", "int8"]

BACKENDS: dict[Precision, str] = {"fp32": "onnx", "int8": "onnx-int8"}


def parse_precisions(names: str) -> list[Precision]:
    """From ``fp32,int8``.

    Raises:
        ValueError: one of them is unknown, or there is none.
    """
    wanted = names.split(",")
    unknown = [name for name in wanted if name not in BACKENDS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not a precision: fp32 or int8")
    return [precision for precision in BACKENDS if precision in wanted]
