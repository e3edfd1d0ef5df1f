"""Behavioural cases (CheckList; Ribeiro et al., ACL 2020): pass rates per capability.

A suite is a TOML file of capabilities, each of one kind:

- ``minimum``: lists of texts by the label they must get
- ``invariance``: pairs of texts that must get the same label
- ``directional``: by label, pairs whose second text must score at least as high for it
- ``unsure``: texts none of whose scores may exceed ``at_most``

``filler`` text, ``filler_repeats`` times over, is put around each text of a ``minimum``.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_export.errors import ModelExportError, first_problem
from service.engine.logits import Probabilities

Pair = tuple[str, str]


class Capability(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str


class Minimum(Capability):
    kind: Literal["minimum"]
    cases: dict[str, list[str]]
    filler: str = ""
    filler_repeats: int = 0

    def surrounded(self, text: str) -> str:
        filling = self.filler * self.filler_repeats
        return f"{filling}{text} {filling}".strip()


class Invariance(Capability):
    kind: Literal["invariance"]
    cases: list[Pair]


class Directional(Capability):
    kind: Literal["directional"]
    cases: dict[str, list[Pair]]


class Unsure(Capability):
    kind: Literal["unsure"]
    at_most: float
    cases: list[str]


class Suite(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    capability: list[
        Annotated[Minimum | Invariance | Directional | Unsure, Field(discriminator="kind")]
    ]


@dataclass(frozen=True)
class PassRate:
    """``failures`` are the texts that got another answer than they should have."""

    capability: str
    kind: str
    cases: int
    passed: int
    failures: list[str]


def read_suite(path: Path) -> Suite:
    """Raises ModelExportError when the file cannot be used."""
    try:
        return Suite.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ModelExportError(f"{path}: cannot be read ({error})") from error
    except ValidationError as error:
        raise ModelExportError(f"{path}: {first_problem(error)}") from error


def run_suite(
    suite: Suite, labels: list[str], probabilities: Callable[[list[str]], Probabilities]
) -> list[PassRate]:
    """Ask every text alone, as a single request does; ``probabilities`` are (texts, labels)."""

    def ask(text: str) -> dict[str, float]:
        row = probabilities([text])[0]  # (labels,)
        return dict(zip(labels, map(float, row), strict=True))

    def answer(text: str) -> str:
        scores = ask(text)
        return max(scores, key=scores.__getitem__)

    rates = []
    for part in suite.capability:
        outcomes: list[tuple[str, bool]] = []
        if isinstance(part, Minimum):
            for label, texts in part.cases.items():
                outcomes += [(text, answer(part.surrounded(text)) == label) for text in texts]
        elif isinstance(part, Invariance):
            outcomes += [(f"{a} | {b}", answer(a) == answer(b)) for a, b in part.cases]
        elif isinstance(part, Directional):
            for label, pairs in part.cases.items():
                outcomes += [(f"{a} | {b}", ask(b)[label] >= ask(a)[label]) for a, b in pairs]
        else:
            outcomes += [(text, max(ask(text).values()) <= part.at_most) for text in part.cases]
        failures = [text for text, passed in outcomes if not passed]
        passed = len(outcomes) - len(failures)
        rates.append(PassRate(part.name, part.kind, len(outcomes), passed, failures))
    return rates
