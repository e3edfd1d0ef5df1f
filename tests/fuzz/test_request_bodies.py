"""Whatever bytes a client sends, parsing them works or ends in one sentence naming the place."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.damage import damaged, fuzzing, json_values
from tests.fuzz.invariants import body_is_read_or_refused
from tests.fuzz.samples import BODY


@fuzzing
@given(body=damaged(json.dumps(BODY).encode()) | st.binary(max_size=100))
def test_a_damaged_body_is_read_or_refused(body: bytes) -> None:
    body_is_read_or_refused(body)


@fuzzing
@given(field=st.sampled_from([*BODY, "other"]), value=json_values())
def test_any_json_value_in_any_field_is_read_or_refused(field: str, value: object) -> None:
    body_is_read_or_refused(json.dumps({**BODY, field: value}).encode())
