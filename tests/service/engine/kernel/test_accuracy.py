"""What rounding to integers costs: against PyTorch, and against the golden answers."""

import numpy as np
import pytest
import torch

from service.engine.bundle import Bundle
from service.engine.golden import read_golden
from service.engine.kernel.packed_kernel import PackedKernel
from service.engine.kernel.prepared_model import Bits, prepare
from service.engine.logits import softmax
from tests.service.engine.kernel.random_model import (
    Array,
    Model,
    Texts,
    logits,
    random_texts,
)

CELLS = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
TOLERANCES = [(16, 1e-3), (8, 0.05)]


def eager_logits(model: Model, texts: Texts) -> Array:
    """PyTorch's logits, (texts, labels), text after text."""
    tensors = {name: torch.from_numpy(value) for name, value in model.tensors().items()}
    recurrent = CELLS[model.cell](
        model.embedding, model.hidden, model.layers, bidirectional=model.directions == 2
    )
    prefix = "recurrent."
    recurrent.load_state_dict(
        {n.removeprefix(prefix): value for n, value in tensors.items() if n.startswith(prefix)}
    )
    rows = []
    with torch.inference_mode():
        for text in texts:
            final = recurrent(tensors["embedding.weight"][torch.from_numpy(text)])[1]
            hidden = (
                final[0] if isinstance(final, tuple) else final
            )  # (layers * directions, hidden)
            states = hidden[-model.directions :].flatten()
            rows.append(tensors["linear.weight"] @ states + tensors["linear.bias"])
    return torch.stack(rows).numpy()


@pytest.mark.parametrize(("bits", "tolerance"), TOLERANCES)
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_the_reference_follows_pytorch(
    cell: str, directions: int, bits: Bits, tolerance: float
) -> None:
    model = Model(cell, layers=2, directions=directions, hidden=48, labels=5)
    texts = random_texts(1, texts=8)
    expected = softmax(eager_logits(model, texts))
    got = softmax(logits(model.kernel(bits, "reference"), texts))
    assert np.abs(got - expected).max() <= tolerance


@pytest.mark.parametrize(("bits", "tolerance"), TOLERANCES)
def test_the_shipped_bundle_keeps_its_golden_answers(
    bundle: Bundle, bits: Bits, tolerance: float
) -> None:
    golden = read_golden(bundle)
    weights = bundle.read("weights.safetensors")
    kernel = PackedKernel(prepare(weights, bundle.manifest.cell, bits))
    got = logits(kernel, [np.array(entry.token_ids, np.int32) for entry in golden])
    expected = np.array([entry.logits for entry in golden], np.float32)
    assert np.abs(softmax(got) - softmax(expected)).max() <= tolerance
