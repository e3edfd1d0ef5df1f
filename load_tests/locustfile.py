"""Options and schedule of a locust run; the users are in ``users.py``.

``python -m load_tests run`` starts it with several processes and judges the outcome.
"""

from pathlib import Path
from typing import Any

from locust import LoadTestShape, User, events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from load_tests.scenario import SCENARIOS, TEXTS_OF, Scenario
from load_tests.tally import write_summary
from load_tests.users import (
    BadInputUser,
    CheckingUser,
    ClientBatchUser,
    DisconnectingUser,
    LongTextUser,
    MixedTextUser,
    OpenLoopUser,
    ShortTextUser,
    SlowReaderUser,
    options_of,
)

SPAWN_RATE = 100.0  # users per second
REPORT_SECONDS = 4.0  # locust processes report every three
# locust runs no user whose name this module does not have.
CLOSED_USERS: list[type[CheckingUser]] = [
    *(ShortTextUser, LongTextUser, MixedTextUser, ClientBatchUser),
    *(BadInputUser, SlowReaderUser, DisconnectingUser),
]


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="closed")
    parser.add_argument("--mix", choices=sorted(TEXTS_OF), default="mixed")
    parser.add_argument("--clients", type=int, default=32, help="of a closed scenario")
    parser.add_argument("--rate", type=float, default=100.0, help="of an open scenario, per second")
    parser.add_argument("--duration", type=float, default=30.0, help="seconds")
    parser.add_argument("--generators", type=int, default=1, help="locust processes")
    parser.add_argument("--answers", required=True, help="file that KnownAnswers loads")
    parser.add_argument("--summary", default="", help="file that the outcome is written to")


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _write_summary(environment: Environment, **_: Any) -> None:
    if options_of(environment).summary:
        write_summary(environment, Path(options_of(environment).summary))


class Schedule(LoadTestShape):
    """How many users of each kind there are at any time."""

    _empty_since = 0.0

    def tick(self) -> tuple[int, float, list[type[User]] | None] | None:
        assert self.runner is not None
        options = options_of(self.runner.environment)
        scenario: Scenario = SCENARIOS[options.scenario]
        kinds = [OpenLoopUser] if scenario.arrivals is not None else CLOSED_USERS
        elapsed_seconds: float = self.get_run_time()  # type: ignore[no-untyped-call]
        elapsed = elapsed_seconds / options.duration
        if elapsed >= 1:
            users = 0  # each user finishes what it is doing
            if self.runner.user_count or not self._empty_since:
                self._empty_since = elapsed_seconds
            if elapsed_seconds - self._empty_since > REPORT_SECONDS:
                return None
        elif scenario.arrivals is not None:
            users = options.generators
        else:
            # Fewer users than the sum of the weights would leave some kinds out.
            fewest = sum(user.weight for user in kinds)
            users = max(fewest, round(options.clients * scenario.level(elapsed)))
        return users, SPAWN_RATE, list(kinds)
