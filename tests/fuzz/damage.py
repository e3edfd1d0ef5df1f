"""A good input damaged in a few places, any JSON value, and how many of them are tried."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# A taste of it; `make fuzz` tries millions, led by coverage.
fuzzing = settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """``content`` with up to four stretches replaced, doubled or cut out."""
    result = content
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(result)))
        length = draw(st.integers(0, 20))
        middle = draw(
            st.binary(max_size=12)
            | st.sampled_from(
                [result[start : start + length] * 2, b'"', b"[", b"{}", b"null", b"-1e999", b"\xff"]
            )
        )
        result = result[:start] + middle + result[start + length :]
    return result


def json_values() -> st.SearchStrategy[object]:
    """Any JSON value, the numbers that JSON has not included."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.text(max_size=8) | st.sampled_from(["size", "sha256", "hidden"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
