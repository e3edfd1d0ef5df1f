"""One text has the same logits, bit for bit, whatever computes it beside whatever else."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.kernel.library import load_library
from service.engine.kernel.prepared_model import Bits
from tests.service.engine.kernel.random_model import Model, logits, random_texts, same_bits

INSTRUCTION_SETS = load_library().instruction_sets()[:-1]  # the reference is the last
BITS: tuple[Bits, ...] = (16, 8)
MODELS = [
    Model(cell, layers, directions, hidden, labels)
    for cell, layers, directions, hidden, labels in product(
        ("rnn", "gru", "lstm"), (1, 2, 3), (1, 2), (16, 48, 128), (2, 5)
    )
]
# Wider than what one integer sum may take, and layers and labels beyond those above.
WIDE = [Model("lstm", 2, 2, 272), Model("gru", 1, 1, 512, 19), Model("rnn", 4, 2, 144, 33)]


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("model", [*MODELS, *WIDE], ids=str)
def test_every_instruction_set_gives_the_bits_of_the_reference(model: Model, bits: Bits) -> None:
    seed = model.layers + model.hidden + model.labels
    texts = random_texts(seed, texts=1 + seed % 20, longest=8)
    expected = logits(model.kernel(bits, "reference"), texts)
    assert np.isfinite(expected).all()
    for name in INSTRUCTION_SETS:
        assert same_bits(logits(model.kernel(bits, name), texts), expected)


@pytest.mark.parametrize("bits", BITS)
def test_a_table_of_the_first_layer_changes_no_bit(bits: Bits) -> None:
    texts = random_texts(1, texts=9)
    for name in INSTRUCTION_SETS:
        with_table = Model(layers=2).kernel(bits, name)
        without = Model(layers=2).kernel(bits, name, table_budget_bytes=0)
        assert same_bits(logits(with_table, texts), logits(without, texts))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@settings(max_examples=20)
@given(st.integers(0, 1 << 30), st.integers(1, 70), st.sampled_from([1, 3, 40, 200]))
def test_company_and_order_change_no_bit(
    cell: str, bits: Bits, seed: int, count: int, longest: int
) -> None:
    kernel = Model(cell, layers=2, hidden=32).kernel(bits)
    texts = random_texts(seed, count, longest)
    alone = np.concatenate([logits(kernel, [text]) for text in texts])  # (texts, labels)
    assert same_bits(logits(kernel, texts), alone)
    order = np.random.default_rng(seed).permutation(count)
    assert same_bits(logits(kernel, [texts[i] for i in order]), alone[order])


def test_threads_that_share_a_kernel_do_not_disturb_each_other() -> None:
    kernel = Model(layers=2, hidden=64).kernel()
    batches = [random_texts(seed, texts=1 + seed % 20, longest=40) for seed in range(40)]
    expected = [logits(kernel, batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        got = pool.map(lambda batch: logits(kernel, batch), batches * 3)
        assert all(same_bits(a, b) for a, b in zip(got, expected * 3, strict=True))


def test_a_caller_that_flushes_denormals_gets_the_same_bits_and_keeps_its_mode() -> None:
    model, texts = Model(labels=3), random_texts(1, texts=2)
    tiny = np.full(3, 1e-40, np.float32)  # denormal
    kernel = model.kernel(linear_weight=np.zeros((3, 32), np.float32), linear_bias=tiny)
    half = np.float32(0.5)
    try:
        assert torch.set_flush_denormal(True)
        assert same_bits(logits(kernel, texts), np.stack([tiny, tiny]))
        assert np.array([2e-38], np.float32)[0] * half * half == 0
    finally:
        torch.set_flush_denormal(False)
    assert np.array([2e-38], np.float32)[0] * half * half != 0
