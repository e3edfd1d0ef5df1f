"""Every way to compute the same answers, timed on the same texts, one core each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor, nn

from model_export.classifier import Classifier, pad
from model_export.errors import ModelExportError
from model_export.oracle import Oracle
from model_export.reference import Array
from model_export.shape_contract import ShapeContract
from model_export.timing import best_seconds
from model_export.verify import load_classifier
from service.engine.backends import Backend
from service.engine.backends.registry import BACKENDS
from service.engine.bundle import Bundle
from service.engine.logits import softmax
from service.engine.ragged_batch import RaggedBatch
from service.engine.tokenizer import TokenIds
from textbook.roofline import Work

Way = Callable[[Sequence[TokenIds]], Array]  # texts to logits (batch, labels), in their order

CELL_MODULES = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}
PACKED = "packed, PyTorch"
INT8 = "ONNX Runtime, int8"
SERVED = {"torchscript": "packed, TorchScript", "onnx": "ONNX Runtime, fp32", "onnx-int8": INT8}
LOADS = {
    "one text of 25 tokens": [25],
    "16 texts of 25 tokens": [25] * 16,
    "16 texts of 5 to 31 tokens": [9, 24, 6, 14, 31, 8, 11, 19, 5, 27, 12, 7, 16, 10, 22, 13],
}
TOLERANCE = BACKENDS["onnx"].golden_tolerance
ROUNDS = 5  # every way in turn, so that a noisy minute does not fall on one of them


@dataclass(frozen=True)
class Timing:
    way: str
    load: str
    work: Work
    seconds: float


def time_ways(bundle: Bundle, budget_seconds: float, progress: Progress) -> list[Timing]:
    """Each way on each load, best of what fits into ``budget_seconds``, after proving it right.

    Raises:
        BundleError, BackendError: a form of the model does not load.
        ModelExportError: a way gives other answers than the equations.
    """
    ways, texts = open_ways(bundle), random_texts(bundle)
    best: dict[tuple[str, str], float] = {}
    task = progress.add_task("timing", total=ROUNDS * len(ways) * len(texts))
    for load in texts:
        prove_ways(bundle, ways, texts[load])
    for _ in range(ROUNDS):
        for load in texts:
            for name, way in ways.items():
                seconds = best_seconds(partial(way, texts[load]), budget_seconds / ROUNDS)
                best[name, load] = min(seconds, best.get((name, load), seconds))
                progress.advance(task)
    contract = ShapeContract.of_manifest(bundle.manifest)
    return [
        Timing(name, load, Work(contract, LOADS[load], 1 if name == INT8 else 4), seconds)
        for (name, load), seconds in best.items()
    ]


def random_texts(bundle: Bundle) -> dict[str, list[TokenIds]]:
    draw, vocabulary = np.random.default_rng(0), bundle.manifest.sizes.vocabulary
    return {
        load: [draw.integers(0, vocabulary, length, dtype=np.int32) for length in lengths]
        for load, lengths in LOADS.items()
    }


def prove_ways(bundle: Bundle, ways: dict[str, Way], texts: Sequence[TokenIds]) -> None:
    """Raises ModelExportError when a way, int8 aside, gives other answers than the equations."""
    expected = softmax(Oracle(bundle).logits(texts).astype(np.float32))
    for name, way in ways.items():
        given = softmax(way(texts).astype(np.float32))
        if name != INT8 and not np.allclose(given, expected, rtol=0, atol=TOLERANCE):
            raise ModelExportError(f"{name}: gives other answers than the equations")


def open_ways(bundle: Bundle) -> dict[str, Way]:
    classifier = load_classifier(bundle)
    cells = unrolled(classifier.recurrent, CELL_MODULES[bundle.manifest.cell])
    return {
        "NumPy loop, packed": Oracle(bundle, np.float32).logits,
        "PyTorch cell loop, text by text": partial(cell_by_cell, classifier, cells),
        "PyTorch layers, text by text": partial(text_by_text, classifier),
        PACKED: partial(packed, classifier),
        **{
            way: partial(served, BACKENDS[name].load(bundle, "cpu", 1))
            for name, way in SERVED.items()
            if name in bundle.manifest.backends
        },
    }


def served(backend: Backend, texts: Sequence[TokenIds]) -> Array:
    return backend.logits(RaggedBatch.of(texts))


@torch.inference_mode()
def packed(classifier: Classifier, texts: Sequence[TokenIds]) -> Array:
    return numpy(classifier(*pad(texts)))


@torch.inference_mode()
def text_by_text(classifier: Classifier, texts: Sequence[TokenIds]) -> Array:
    """The way to right answers without packing: no batch, so no padding."""
    rows = []
    for text in texts:
        embedded = classifier.embedding(torch.from_numpy(text))[
            None
        ].float()  # (1, time, embedding)
        _, final = classifier.recurrent(embedded)
        h = final[0] if isinstance(final, tuple) else final  # (layers · 2, 1, hidden)
        rows.append(classifier.linear(torch.cat([h[-2], h[-1]], dim=1)))
    return numpy(torch.cat(rows))


@torch.inference_mode()
def cell_by_cell(
    classifier: Classifier, layers: list[list[nn.Module]], texts: Sequence[TokenIds]
) -> Array:
    rows = []
    for text in texts:
        x = classifier.embedding(torch.from_numpy(text))[:, None].float()  # (time, 1, features)
        ends: list[Tensor] = []
        for directions in layers:
            forward = steps(directions[0], x)
            backward = steps(directions[1], x.flip(0))
            ends = [forward[-1], backward[-1]]  # (1, hidden) each
            x = torch.cat([forward, backward.flip(0)], dim=2)  # (time, 1, 2 · hidden)
        rows.append(classifier.linear(torch.cat(ends, dim=1)))
    return numpy(torch.cat(rows))


def steps(cell: nn.Module, x: Tensor) -> Tensor:
    """The hidden state after each step, (time, batch, hidden)."""
    state: Any = None
    hidden = []
    for step in x:
        state = cell(step, state)
        hidden.append(state[0] if isinstance(state, tuple) else state)
    return torch.stack(hidden)


def unrolled(recurrent: nn.RNNBase, cell_module: type[nn.Module]) -> list[list[nn.Module]]:
    """A cell for each layer and direction, with the layer's own weights."""
    parameters = dict(recurrent.named_parameters())
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    layers = []
    for layer in range(recurrent.num_layers):
        width = parameters[f"weight_ih_l{layer}"].shape[1]
        cells = []
        for direction in ("", "_reverse"):
            cell = cell_module(width, recurrent.hidden_size)
            cell.load_state_dict({n: parameters[f"{n}_l{layer}{direction}"] for n in names})
            cells.append(cell)
        layers.append(cells)
    return layers


def numpy(tensor: Tensor) -> Array:
    array: Array = tensor.numpy()
    return array
