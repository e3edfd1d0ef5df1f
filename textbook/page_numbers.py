"""The numbers behind the page's agreement view and shape explorer, as ``principles.json``.

The agreement view shows one LSTM over three steps, NumPy's equations beside PyTorch, and with each
number the operands that it was computed from. The shape explorer's cases hold what it must say.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model_export.reference import GATES, Array, Weights, lstm_cell, lstm_gates
from model_export.shape_contract import ShapeContract, parameter_count, textbook_parameter_count

PATH = Path("service/http/page/principles.json")

# Two inputs, two units, one decimal: small enough to check with pencil and paper.
WEIGHTS = Weights(
    np.array([[5, -3], [2, 4], [-1, 6], [3, 1], [8, -5], [-4, 7], [6, 2], [1, -2]]) / 10,
    np.array([[4, 1], [-2, 3], [5, -1], [2, 6], [-3, 7], [4, 5], [1, 3], [-6, 2]]) / 10,
    np.array([1, 0, 10, 10, 0, -1, 2, 1]) / 10,  # the forget gates start open
    np.array([0, 1, 0, 0, 1, 0, 0, -1]) / 10,
)
INPUTS = np.array([[1.0, 0.5], [-0.5, 2.0], [0.0, -1.0]])  # (time, input)

STATES = {"rnn": ["h"], "gru": ["h"], "lstm": ["h", "c"]}
SIZES = [(1, 1, 1), (2, 3, 2), (128, 128, 2), (300, 256, 4)]  # input, hidden, layers


def page_numbers() -> dict[str, Any]:
    """The content of ``principles.json``, made of what JSON knows."""
    return {"agreement": agreement(), "shapes": shapes()}


def agreement() -> dict[str, Any]:
    """One entry for each step: inputs, gates, c and h of both, NumPy's with their operands."""
    cell = torch.nn.LSTMCell(2, 2, dtype=torch.float64)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell.load_state_dict(
        {name: torch.from_numpy(w) for name, w in zip(names, WEIGHTS, strict=True)}
    )
    h: Array = np.zeros((1, 2))  # (batch, hidden)
    c = h
    torch_h = torch_c = torch.zeros(1, 2, dtype=torch.float64)
    steps = []
    with torch.no_grad():
        for x in INPUTS:
            gates = lstm_gates(x[None], h, WEIGHTS)  # (1, hidden) each
            torch_x = torch.from_numpy(x[None])
            torch_gates = pytorch_gates(cell, torch_x, torch_h)
            next_h, next_c = lstm_cell(x[None], (h, c), WEIGHTS)
            torch_h, torch_c = cell(torch_x, (torch_h, torch_c))
            steps.append(
                {
                    "x": x.tolist(),
                    "h_before": h[0].tolist(),
                    "c_before": c[0].tolist(),
                    "gates": {
                        gate: {
                            "function": "tanh" if gate == "g" else "sigmoid",
                            "terms": [terms(place, unit, x, h[0]) for unit in range(2)],
                            "numpy": value[0].tolist(),
                            "pytorch": torch_value[0].tolist(),
                        }
                        for place, (gate, value, torch_value) in enumerate(
                            zip(GATES["lstm"], gates, torch_gates, strict=True)
                        )
                    },
                    "c": {"numpy": next_c[0].tolist(), "pytorch": torch_c[0].tolist()},
                    "h": {"numpy": next_h[0].tolist(), "pytorch": torch_h[0].tolist()},
                }
            )
            h, c = next_h, next_c
    return {"cell": "lstm", "dtype": "float64", "tolerance": 1e-12, "steps": steps}


def pytorch_gates(cell: torch.nn.LSTMCell, x: torch.Tensor, h: torch.Tensor) -> list[torch.Tensor]:
    """The gates i, f, g, o, (1, hidden) each, which ``LSTMCell`` keeps to itself."""
    linear = torch.nn.functional.linear
    sums = linear(x, cell.weight_ih, cell.bias_ih) + linear(h, cell.weight_hh, cell.bias_hh)
    i, f, g, o = sums.chunk(4, dim=1)
    return [i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()]


def terms(gate: int, unit: int, x: Array, h: Array) -> list[dict[str, Any]]:
    """What is added up before the gate's function: weight times operand, and biases (times 1)."""
    row, letter = 2 * gate + unit, GATES["lstm"][gate]
    found = []
    for source, matrix, vector in (("x", WEIGHTS.w_ih, x), ("h", WEIGHTS.w_hh, h)):
        kind = "i" if source == "x" else "h"
        found += [
            {
                "weight_name": f"W_{kind}{letter}[{unit},{column}]",
                "weight": float(matrix[row, column]),
                "operand_name": f"{source}[{column}]",
                "operand": float(vector[column]),
            }
            for column in range(2)
        ]
    for kind, bias in (("i", WEIGHTS.b_ih), ("h", WEIGHTS.b_hh)):
        name = f"b_{kind}{letter}[{unit}]"
        found.append(
            {"weight_name": name, "weight": float(bias[row]), "operand_name": "1", "operand": 1.0}
        )
    return found


def shapes() -> list[dict[str, Any]]:
    """Shapes and parameter counts of every cell at some sizes, for a batch of 3 over 5 steps."""
    found = []
    for cell, (inputs, hidden, layers), bidirectional, batch_first in itertools.product(
        GATES, SIZES, (False, True), (False, True)
    ):
        contract = ShapeContract(cell, inputs, hidden, layers, bidirectional, batch_first)
        found.append(
            {
                "cell": cell,
                "gates": len(GATES[cell]),
                "input_size": inputs,
                "hidden_size": hidden,
                "layers": layers,
                "directions": contract.directions,
                "batch_first": batch_first,
                "batch": 3,
                "time": 5,
                "input": list(contract.input(3, 5)),
                "output": list(contract.output(3, 5)),
                "states": {name: list(contract.state(3)) for name in STATES[cell]},
                "parameters": parameter_count(contract),
                "textbook_parameters": textbook_parameter_count(contract),
            }
        )
    return found


def write_page_numbers(path: Path = PATH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(page_numbers()) + "\n", encoding="utf-8")
