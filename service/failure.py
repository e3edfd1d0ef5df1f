"""Everything that can go wrong with a request: each failure carries its status and type."""

import math
from typing import ClassVar, Literal

ErrorType = Literal[
    "validation",
    "too_large",
    "overloaded",
    "deadline",
    "unavailable",
    "unauthorized",
    "not_found",
    "method_not_allowed",
    "internal",
]


class Failure(Exception):
    """Ends a request with ``status``; the message goes to the client and quotes no text of his."""

    status: ClassVar[int]
    error_type: ClassVar[ErrorType]
    rejection: str | None = None  # the reason under which metrics count it

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return []


class Invalid(Failure):
    status, error_type = 422, "validation"


class TooLarge(Failure):
    status, error_type = 413, "too_large"


class Overloaded(Failure):
    """Refused before any work was done; ``retry_seconds`` is when the backlog will have drained."""

    status, error_type = 429, "overloaded"

    def __init__(self, message: str, rejection: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.rejection = rejection
        self.retry_seconds = retry_seconds

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"retry-after", b"%d" % max(1, math.ceil(self.retry_seconds))),
            (b"retry-after-ms", b"%d" % max(1, math.ceil(self.retry_seconds * 1000))),
        ]


class DeadlinePassed(Failure):
    status, error_type = 504, "deadline"
    rejection = "deadline_passed"


class Unavailable(Failure):
    status, error_type = 503, "unavailable"
    rejection = "unavailable"


class Unauthorized(Failure):
    status, error_type = 401, "unauthorized"

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"www-authenticate", b"Bearer")]


class NotFound(Failure):
    status, error_type = 404, "not_found"


class MethodNotAllowed(Failure):
    status, error_type = 405, "method_not_allowed"

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"allow", self.allowed.encode("ascii"))]


class Internal(Failure):
    status, error_type = 500, "internal"


class ClientGone(Exception):
    """The client closed its connection; nobody is left to answer. Counted as code 499."""

    status = 499
    rejection = "client_gone"
