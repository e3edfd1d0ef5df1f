"""What is wrong with a text, in the terms of the dialect in which it was sent."""

from dataclasses import dataclass

from service.engine.tokenizer import TextTooLong
from service.failure import Failure, Internal, Invalid
from service.queueing.text_failure import (
    TextFailed,
    TextFailure,
    TextHasNoTokens,
    TextIsBlank,
    TextKilledWorkers,
)


@dataclass(frozen=True, slots=True)
class Wording:
    """``field`` holds the texts, or the only one; ``advice`` helps whose text is too long."""

    field: str
    batch: bool
    advice: str = ""

    def place(self, index: int) -> str:
        return f"{self.field}[{index}]" if self.batch else self.field

    def failure(self, error: TextFailure | TextTooLong) -> Failure:
        place = self.place(error.index)
        match error:
            case TextTooLong():
                return Invalid(f"{place}: {error}{self.advice}")
            case TextIsBlank():
                return Invalid(f"{place}: the text is blank")
            case TextHasNoTokens():
                return Invalid(f"{place}: the text has no tokens")
            case TextKilledWorkers():
                return Internal(f"{place}: two workers died on this text")
            case TextFailed():
                return Internal(f"{place}: the model failed on this text")
        raise AssertionError(f"a failure without words: {error!r}")
