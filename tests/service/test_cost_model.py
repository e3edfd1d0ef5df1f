import random

import pytest

from service.cost_model import CostModel

SHAPES = [(1, 8, 8), (1, 400, 400), (16, 320, 20), (16, 6400, 400)]


def true_seconds(texts: int, tokens: int, longest: int) -> float:
    return 3e-4 + 2e-5 * texts + 6e-6 * tokens + 4e-6 * longest


def warmed_up() -> CostModel:
    model = CostModel()
    model.calibrate(
        (texts, texts * longest, longest, true_seconds(texts, texts * longest, longest))
        for texts in (1, 2, 4, 8, 16)
        for longest in (1, 8, 32, 128, 512)
    )
    return model


def observe_many(model: CostModel, times_slower: float, noise: float) -> None:
    numbers = random.Random(1)
    for _ in range(1500):
        texts, longest = numbers.randint(1, 16), numbers.randint(1, 400)
        seconds = times_slower * true_seconds(texts, texts * longest, longest)
        model.observe(
            texts, texts * longest, longest, seconds * numbers.uniform(1 - noise, 1 + noise)
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_it_learns_the_cost_of_short_and_of_long_micro_batches(
    shape: tuple[int, int, int],
) -> None:
    model = warmed_up()
    assert model.predict(*shape) == pytest.approx(true_seconds(*shape), rel=0.3)
    observe_many(model, times_slower=1.0, noise=0.1)
    assert model.predict(*shape) == pytest.approx(true_seconds(*shape), rel=0.3)
    assert model.relative_error < 0.1


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_it_follows_when_everything_becomes_twice_as_slow(shape: tuple[int, int, int]) -> None:
    model = warmed_up()
    observe_many(model, times_slower=2.0, noise=0.1)
    assert model.predict(*shape) == pytest.approx(2 * true_seconds(*shape), rel=0.3)


def test_a_forward_pass_is_never_predicted_to_be_free() -> None:
    model = CostModel()
    for _ in range(1000):
        model.observe(1, 10, 10, 0.0)
    assert model.predict(1, 1, 1) >= 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_a_load_of_one_shape_does_not_spoil_the_prediction_of_others(
    shape: tuple[int, int, int],
) -> None:
    model = warmed_up()
    for _ in range(5000):
        model.observe(1, 10, 10, true_seconds(1, 10, 10))
    assert model.predict(*shape) == pytest.approx(true_seconds(*shape), rel=0.3)
