from itertools import islice, pairwise

import pytest

from load_tests.arrivals import arrivals


def test_constant_arrivals_are_evenly_spaced() -> None:
    assert list(islice(arrivals("constant", 200), 4)) == [0.0, 0.005, 0.01, 0.015]


def test_poisson_arrivals_come_at_the_rate_and_scatter() -> None:
    times = list(islice(arrivals("poisson", 200, seed=1), 5000))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(1 / 200, rel=0.05)
    assert deviation == pytest.approx(mean, rel=0.05)
