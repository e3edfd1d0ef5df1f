"""Whatever bytes a bundle is made of, loading it works or ends in one sentence."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.damage import damaged, fuzzing, json_values
from tests.fuzz.invariants import manifest_opens_or_is_refused, onnx_passes_or_is_refused
from tests.fuzz.samples import MANIFEST, small_model


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundle")


@fuzzing
@given(content=damaged(json.dumps(MANIFEST).encode()))
def test_a_damaged_manifest_opens_or_is_refused(directory: Path, content: bytes) -> None:
    manifest_opens_or_is_refused(directory, content)


@fuzzing
@given(field=st.sampled_from(sorted(MANIFEST)), value=json_values())
def test_a_manifest_with_any_value_in_a_field_opens_or_is_refused(
    directory: Path, field: str, value: object
) -> None:
    manifest_opens_or_is_refused(directory, json.dumps({**MANIFEST, field: value}).encode())


@fuzzing
@given(content=damaged(small_model()) | st.binary(max_size=200))
def test_a_damaged_onnx_file_passes_the_walk_or_is_refused(content: bytes) -> None:
    onnx_passes_or_is_refused(content)
