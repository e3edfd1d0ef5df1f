"""The capacity of one set-up: the highest rate that meets an objective, and latency curves.

The rate is found by bisection between zero and what 64 clients get in a closed loop. Then latency
is measured at shares of it, for the curves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from load_tests.probe import FULL_LOAD_CLIENTS, Probe, Prober
from load_tests.progress import say

SHARES = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.15)
RELATIVE_WIDTH = 0.04
MOST_STEPS = 8


@dataclass(slots=True)
class Capacity:
    """Rates in answers per second; ``curve`` by rising offered rate."""

    name: str
    settings: dict[str, str]
    mix: str
    limit: str
    closed: Probe
    highest_per_second: float
    curve: list[Probe] = field(default_factory=list)


def bisect_rate(meets: Callable[[float], bool], at_most: float) -> float:
    """The highest rate found to meet the objective, within 4 % or 8 steps; 0 if none did."""
    good, bad = 0.0, at_most
    for _ in range(MOST_STEPS):
        if bad - good <= RELATIVE_WIDTH * bad:
            break
        rate = (good + bad) / 2
        if meets(rate):
            good = rate
        else:
            bad = rate
    return good


def meets_objective(probe: Probe, p99_ms: float) -> bool:
    """Nothing refused, lost or wrong, and the p99 within its limit."""
    return (
        not (probe.refused or probe.lost or probe.unsent or probe.wrong) and probe.p99_ms <= p99_ms
    )


def measure_capacity(
    name: str,
    settings: dict[str, str],
    mix: str,
    prober: Prober,
    p99_ms: float,
    seconds: float,
) -> Capacity:
    """Closed loop, bisection, curve."""
    prober.closed(FULL_LOAD_CLIENTS, min(2.0, seconds))  # warms up
    closed = prober.closed(FULL_LOAD_CLIENTS, seconds)
    say(f"{closed.answered_per_second:,.0f}/s in a closed loop")

    def meets(rate: float) -> bool:
        probe = prober.open(rate, seconds)
        met = meets_objective(probe, p99_ms)
        say(f"{rate:,.0f}/s: p99 {probe.p99_ms:.1f} ms, {'met' if met else 'missed'}")
        return met

    highest = bisect_rate(meets, closed.answered_per_second * 1.1)
    limit = f"p99 within {p99_ms:g} ms, nothing refused, lost or wrong"
    capacity = Capacity(name, settings, mix, limit, closed, highest)
    # Where even the lowest rate misses, the curve shows the closed loop's range instead.
    reference = highest or closed.answered_per_second
    for share in SHARES:
        probe = prober.open(share * reference, seconds, seed=1)
        say(f"curve at {share * reference:,.0f}/s: p99 {probe.p99_ms:.1f} ms")
        capacity.curve.append(probe)
    return capacity
