"""Objectives as code: what ``slo.toml`` may say, and whether a measurement meets it."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from load_tests.arrivals import Pattern
from load_tests.probe import Probe
from load_tests.texts import Mix

SLO_FILE = Path(__file__).parent / "slo.toml"


class ObjectiveError(Exception):
    """An objective file that can't be used; the message says why in one sentence."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Capacity(_Strict):
    seconds: float = Field(gt=0)


class OpenLoop(_Strict):
    """Latencies under an open loop. No request may be refused, lost or answered wrongly."""

    name: str
    mix: Mix
    share_of_capacity: float = Field(gt=0, le=1)
    arrivals: Pattern = "poisson"
    seconds: float = Field(gt=0)
    p50_ms: float | None = None
    p99_ms: float | None = None
    short_p99_ms: float | None = None

    def misses(self, probe: Probe) -> list[str]:
        """Sentences; none if the objective is met."""
        found = [
            f"{name} is {getattr(probe, name):.1f}, at most {limit:g} is allowed"
            for name in ("p50_ms", "p99_ms", "short_p99_ms")
            if (limit := getattr(self, name)) is not None and not getattr(probe, name) <= limit
        ]
        found += [
            f"{count} requests were {what}"
            for what, count in (
                ("refused", probe.refused),
                ("lost", probe.lost),
                ("not sent, because no connection was free", probe.unsent),
                ("answered wrongly", probe.wrong),
            )
            if count
        ]
        return found


class Users(_Strict):
    name: str
    scenario: str
    clients: int = Field(ge=1)
    seconds: float = Field(gt=0)
    processes: int = Field(2, ge=1, le=16)


class Objectives(_Strict):
    capacity: Capacity = Capacity(seconds=5.0)
    open_loop: list[OpenLoop] = []
    users: list[Users] = []


def read_objectives(path: Path) -> Objectives:
    """Raises ObjectiveError, naming the file and what is wrong in it."""
    try:
        return Objectives.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ObjectiveError(f"{path}: {place}: {problem['msg']}") from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ObjectiveError(f"{path}: {error}") from None
