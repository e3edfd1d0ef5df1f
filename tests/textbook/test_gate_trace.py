"""The trace shows the classifier's own gates: they lead to its own answer."""

from pathlib import Path

import numpy as np
import pytest

from model_export.errors import ModelExportError
from model_export.oracle import Oracle
from service.engine.logits import softmax
from service.engine.tokenizer import TextTokenizer
from tests.model_export.random_bundle import write_random_bundle
from textbook.gate_trace import trace_gates
from textbook.pictures import draw_gates

TEXT = "Not bad at all: wonderful!"


def test_gates_explain_memory_and_answer(tmp_path: Path) -> None:
    bundle = write_random_bundle(tmp_path / "bundle")
    trace = trace_gates(bundle, TEXT)
    i, f, g, o, c, h = trace.gates.values()  # (time, hidden) each
    np.testing.assert_allclose(h, o * np.tanh(c), rtol=0, atol=1e-12)
    np.testing.assert_allclose(c[1:], f[1:] * c[:-1] + i[1:] * g[1:], rtol=0, atol=1e-12)
    token_ids = TextTokenizer(bundle).encode([TEXT])
    whole = softmax(Oracle(bundle).logits(token_ids).astype(np.float32))
    np.testing.assert_allclose(trace.probabilities[-1], whole[0], rtol=0, atol=1e-6)
    assert len(trace.tokens) == len(token_ids[0]) == len(h) == len(trace.probabilities)
    draw_gates(tmp_path / "gates.png", trace)
    assert (tmp_path / "gates.png").read_bytes().startswith(b"\x89PNG")


def test_a_bundle_without_these_gates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelExportError, match="is a gru, not an lstm"):
        trace_gates(write_random_bundle(tmp_path, "gru"), TEXT)
