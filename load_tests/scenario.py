"""The shapes of load that locust can generate."""

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
    """``level`` maps the share of the duration elapsed to the share of all clients active."""

    summary: str
    level: Callable[[float], float] = lambda elapsed: 1.0
    arrivals: Pattern | None = None  # an open loop, at a constant mean rate


SCENARIOS = {
    "closed": Scenario("every kind of user, each waits for its answer"),
    "constant": Scenario("open loop, evenly spaced", arrivals="constant"),
    "poisson": Scenario("open loop, as independent users would come", arrivals="poisson"),
    "ramp": Scenario(
        "closed loop, from few clients to all in ten steps",
        lambda elapsed: (int(elapsed * 10) + 1) / 10,
    ),
    "spike": Scenario(
        "closed loop, all clients in the middle fifth and a tenth of them otherwise",
        lambda elapsed: 1.0 if 0.4 <= elapsed < 0.6 else 0.1,
    ),
    "soak": Scenario("closed loop with half of the clients", lambda elapsed: 0.5),
}
