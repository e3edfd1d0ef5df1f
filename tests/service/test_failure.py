"""The table of errors, and that the README says the same."""

import re
from pathlib import Path

import pytest

from service.failure import FAILURES, REASONS, STATUSES, Failure, Overloaded

README = (Path(__file__).parents[2] / "README.md").read_text()


def documented() -> set[tuple[int, str]]:
    """Status and error type of every row of the README's table of errors."""
    table = README[README.index("| status | `error_type` | when |") :].partition("\n\n")[0]
    pairs = set()
    for row in table.split("\n")[2:]:
        statuses, error_types, _ = (cell.strip() for cell in row.strip("|").split("|"))
        numbers, names = re.findall(r"\d+", statuses), re.findall(r"`(\w+)`", error_types)
        # One type may stand for several statuses.
        names = names * len(numbers) if len(names) == 1 else names
        pairs |= set(zip(map(int, numbers), names, strict=True))
    return pairs


def test_the_readme_lists_every_error_and_no_other() -> None:
    assert documented() == {(failure.status, failure.error_type) for failure in FAILURES}


def test_the_table_holds_every_failure_once() -> None:
    def below(kind: type[Failure]) -> set[type[Failure]]:
        return {kind, *(one for child in kind.__subclasses__() for one in below(child))}

    assert below(Failure) - {Failure} == set(FAILURES)
    assert len(STATUSES) == len(FAILURES) + 1
    assert len(set(REASONS)) == len(REASONS)


@pytest.mark.parametrize("failure", FAILURES)
def test_its_words_are_sentences(failure: type[Failure]) -> None:
    assert failure.when[0].isupper()
    assert failure.when.endswith(".")
    assert not failure.example.endswith(".")


@pytest.mark.parametrize("seconds", [0.0, 0.2, 1.0, 7.3])
def test_a_refusal_says_when_to_come_again_in_whole_units_and_never_at_once(seconds: float) -> None:
    headers = dict(Overloaded("", "queue_full", seconds).headers)
    assert headers.keys() == {name.encode() for name in Overloaded.documented_headers}
    assert int(headers[b"retry-after"]) >= max(1, seconds)
    assert int(headers[b"retry-after-ms"]) >= max(1, seconds * 1000)
