"""The shapes of load that locust can put on the service."""

from collections.abc import Callable
from dataclasses import dataclass

from load_tests.arrivals import Pattern
from load_tests.texts import LoadText, Mix, generate

TEXTS = 100
TEXTS_OF: dict[Mix, list[LoadText]] = {
    "short": generate("short", TEXTS),
    "mixed": generate("mixed", TEXTS),
    "long": generate("long", TEXTS // 4),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """``level`` is the share of all clients at a time, from the share of the duration elapsed."""

    summary: str
    level: Callable[[float], float] = lambda elapsed: 1.0
    arrivals: Pattern | None = None  # an open loop, whose rate stays


SCENARIOS = {
    "closed": Scenario("every kind of user, each waits for its answer"),
    "constant": Scenario("open loop, evenly spaced", arrivals="constant"),
    "poisson": Scenario("open loop, as independent users would come", arrivals="poisson"),
    "ramp": Scenario(
        "closed loop, from few clients to all in ten steps",
        lambda elapsed: (int(elapsed * 10) + 1) / 10,
    ),
    "spike": Scenario(
        "closed loop, a tenth of the clients but for the middle fifth",
        lambda elapsed: 1.0 if 0.4 <= elapsed < 0.6 else 0.1,
    ),
    "soak": Scenario("closed loop at half of the clients, for long", lambda elapsed: 0.5),
}
