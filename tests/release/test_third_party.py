"""THIRD_PARTY.md names every package and its licence, and all licences go together."""

from pathlib import Path

import pytest

from release.dependency import dependencies, licence, pinned_versions
from release.requirements import requirements
from release.third_party import COMPATIBLE, PROPRIETARY, third_party

PAGE = Path("THIRD_PARTY.md")


def test_the_page_is_what_make_licences_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == third_party(dependencies(requirements(["cpu"])))


@pytest.mark.parametrize("name", pinned_versions())
def test_every_licence_is_known_and_compatible(name: str) -> None:
    found = licence(name)
    if found == PROPRIETARY:
        assert name.startswith(("nvidia-", "cuda-toolkit"))
    else:
        assert COMPATIBLE.search(found), f"{name}: {found!r}"


@pytest.mark.parametrize("other", ["GPL-3.0-only", "AGPL-3.0-or-later", "LGPL-2.1-only", ""])
def test_other_licences_are_not_taken_for_compatible(other: str) -> None:
    assert not COMPATIBLE.search(other)


def test_nothing_proprietary_is_in_the_cpu_image() -> None:
    assert all(each.licence != PROPRIETARY for each in dependencies(requirements(["cpu"])))
