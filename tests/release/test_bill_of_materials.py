"""The bill of materials lists what serving installs, once each, and how it hangs together."""

import json
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.bill_of_materials import bill_of_materials
from release.dependency import dependencies, pinned_versions
from release.requirements import requirements
from service import __version__

REQUIRED = requirements(["cpu"])
DIRECT = [canonicalize_name(Requirement(line).name) for line in REQUIRED]


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(bill_of_materials(dependencies(REQUIRED), DIRECT))
    return parsed


def test_it_says_what_it_describes(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["version"] == __version__


def test_every_component_is_there_once_at_its_pinned_version(bill: dict[str, Any]) -> None:
    found = {component["name"]: component["version"] for component in bill["components"]}
    assert len(found) == len(bill["components"])
    assert {"litserve", "onnxruntime", "starlette", "tokenizers"} <= found.keys()
    assert not {"torch", "pytest", "locust", "onnx"} & found.keys()
    assert found.items() <= pinned_versions().items()


def test_every_reference_leads_to_a_component_and_all_are_reached(bill: dict[str, Any]) -> None:
    graph = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    reached, waiting = set(), [bill["metadata"]["component"]["bom-ref"]]
    while waiting:
        reference = waiting.pop()
        if reference not in reached:
            reached.add(reference)
            waiting += graph[reference]
    assert reached == graph.keys()


def test_it_is_the_same_every_time() -> None:
    bills = {bill_of_materials(dependencies(REQUIRED), DIRECT) for _ in range(2)}
    assert len(bills) == 1
