"""What can be wrong with one text of a request; each endpoint words it in its own terms."""


class TextFailure(Exception):
    """The text at ``index`` ends its request."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index


class TextIsBlank(TextFailure):
    """It has no characters but spaces."""


class TextHasNoTokens(TextFailure):
    """Nothing is left of it once it is tokenised."""


class TextFailed(TextFailure):
    """The model raised an error on it or answered with what is no number."""


class TextKilledWorkers(TextFailure):
    """It was alone in flight when a second worker died."""
