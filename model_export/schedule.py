"""The learning rate of every step."""

LOWEST_SHARE = 0.02


def learning_rate(peak: float, warmup_steps: int, steps_done: int, share_done: float) -> float:
    """Linear warm-up to ``peak``, while it falls linearly to a fiftieth at ``share_done`` 1."""
    warmup = min(1.0, (steps_done + 1) / max(1, warmup_steps))
    return peak * warmup * max(LOWEST_SHARE, 1 - share_done)
