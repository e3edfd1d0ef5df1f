import pytest

from service.engine.tokenizer import TextTooLong
from service.failure import Failure, Internal, Invalid
from service.http.wording import Wording
from service.queueing.text_failure import (
    TextFailed,
    TextFailure,
    TextHasNoTokens,
    TextIsBlank,
    TextKilledWorkers,
)

SENTENCES = [
    (TextIsBlank(1), Invalid, "the text is blank"),
    (TextHasNoTokens(1), Invalid, "the text has no tokens"),
    (TextFailed(1), Internal, "the model failed on this text"),
    (TextKilledWorkers(1), Internal, "two workers died on this text"),
]


@pytest.mark.parametrize(("error", "kind", "sentence"), SENTENCES)
def test_each_dialect_names_its_own_field(
    error: TextFailure, kind: type[Failure], sentence: str
) -> None:
    for field in ("inputs", "data"):
        failure = Wording(field, batch=True).failure(error)
        assert (type(failure), str(failure)) == (kind, f"{field}[1]: {sentence}")


@pytest.mark.parametrize(("error", "kind", "sentence"), SENTENCES)
def test_a_single_text_has_no_index(error: TextFailure, kind: type[Failure], sentence: str) -> None:
    assert str(Wording("inputs", batch=False).failure(error)) == f"inputs: {sentence}"


def test_only_who_can_truncate_is_advised_to() -> None:
    error = TextTooLong(0, 9, 4, "tokens")
    advised = Wording("inputs", batch=False, advice=" (or do)").failure(error)
    assert str(advised).endswith("are allowed (or do)")
    assert str(Wording("data", batch=True).failure(error)).startswith("data[0]: ")
