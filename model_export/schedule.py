"""The learning rate of every step: annealing cycles, each from its peak down to almost nothing."""

from model_export.configuration import TrainingConfiguration

LOWEST_SHARE = 0.02


def learning_rate(peak: float, warmup_steps: int, steps_done: int, share_done: float) -> float:
    """Linear warm-up to ``peak``, while it falls linearly to a fiftieth at ``share_done`` 1."""
    warmup = min(1.0, (steps_done + 1) / max(1, warmup_steps))
    return peak * warmup * max(LOWEST_SHARE, 1 - share_done)


def scheduled_rate(settings: TrainingConfiguration, steps_done: int, epochs_done: float) -> float:
    """The rate within the cycle that ``epochs_done`` lies in, ``steps_done`` after its start."""
    peak, first, last = settings.learning_rate, 0, settings.epochs
    for restart in sorted(settings.restarts, key=lambda restart: restart.after):
        if epochs_done < restart.after:
            last = min(restart.after, settings.epochs)
            break
        peak, first = restart.learning_rate, restart.after
    share_done = (epochs_done - first) / (last - first)
    return learning_rate(peak, settings.warmup_steps, steps_done, share_done)


def cycle_ends(settings: TrainingConfiguration) -> list[int]:
    """The epochs with which an annealing cycle ends, its learning rate at its lowest."""
    restarts = {restart.after for restart in settings.restarts if restart.after < settings.epochs}
    return sorted(restarts | {settings.epochs})
