import numpy as np

from service.engine.logits import softmax


def test_softmax_adds_up_to_one_without_overflow() -> None:
    probabilities = softmax(np.array([[1000.0, 0.0], [0.0, 0.0]], np.float32))
    assert probabilities.tolist() == [[1.0, 0.0], [0.5, 0.5]]
