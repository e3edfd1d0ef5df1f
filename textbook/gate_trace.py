"""What the gates of a bundle's LSTM do, token by token, while it reads a text."""

from dataclasses import dataclass

import numpy as np

from model_export.errors import ModelExportError
from model_export.oracle import Oracle
from model_export.reference import GATES, Array, layer_weights, lstm_cell, lstm_gates, pack, run
from service.engine.bundle import Bundle
from service.engine.logits import softmax
from service.engine.tokenizer import TextTokenizer


@dataclass(frozen=True)
class GateTrace:
    """The last layer reading forward.

    ``gates`` holds i, f, g, o, c and h, each (time, hidden); units that speak for the
    last label stand last. ``probabilities`` (time, labels) are the answers to the text up to there.
    """

    tokens: list[str]
    labels: list[str]
    gates: dict[str, Array]
    probabilities: Array


def trace_gates(bundle: Bundle, text: str) -> GateTrace:
    """Raises ModelExportError when the bundle is no LSTM, which alone has these gates."""
    if bundle.manifest.cell != "lstm":
        raise ModelExportError(f"{bundle.directory}: is a {bundle.manifest.cell}, not an lstm")
    oracle, found = Oracle(bundle), TextTokenizer(bundle).tokens(text, bundle.manifest.max_tokens)
    token_ids = np.array([token_id for token_id, *_ in found], np.int32)
    last = bundle.manifest.sizes.layers - 1
    below = {n: w for n, w in oracle.recurrent.items() if f"_l{last}" not in n}
    x = oracle.embedding[token_ids]  # (time, features)
    if below:
        x = run(lstm_cell, pack([x]), below)[0].data
    weights = layer_weights(oracle.recurrent)[last][0]
    hidden = weights.w_hh.shape[1]
    h: Array = np.zeros((1, hidden))  # (batch, hidden)
    c = h
    steps: dict[str, list[Array]] = {name: [] for name in (*GATES["lstm"], "c", "h")}
    for step in x:
        values = lstm_gates(step[None], h, weights)
        h, c = lstm_cell(step[None], (h, c), weights)
        for name, value in zip(steps, (*values, c, h), strict=True):
            steps[name].append(value[0])
    # The forward half of the linear layer says which unit speaks for which label.
    order = np.argsort(oracle.linear[-1, :hidden] - oracle.linear[:-1, :hidden].mean(0))
    prefixes = [token_ids[: length + 1] for length in range(len(token_ids))]
    return GateTrace(
        tokens=[text[start:stop] for _, _, start, stop in found],
        labels=bundle.manifest.labels,
        gates={name: np.stack(values)[:, order] for name, values in steps.items()},
        probabilities=softmax(oracle.logits(prefixes).astype(np.float32)),
    )
