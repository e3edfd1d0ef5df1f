"""The one table of errors: everything that can go wrong with a request.

A failure carries its status, its type, its headers and the reason that metrics count it under, and
the words that the documentation says about it. README, OpenAPI, the gateway and the metrics all
derive from, or are tested against, what stands here.
"""

import math
from typing import ClassVar

Headers = list[tuple[bytes, bytes]]


class Failure(Exception):
    """Ends a request with ``status``; the message goes to the client and quotes nothing of it."""

    status: ClassVar[int]
    error_type: ClassVar[str]
    when: ClassVar[str]
    example: ClassVar[str]  # of a message
    documented_headers: ClassVar[dict[str, str]] = {}
    reasons: ClassVar[tuple[str, ...]] = ()  # that metrics count a refused prediction under

    @property
    def rejection(self) -> str | None:
        """The one of ``reasons`` that holds for this failure."""
        return self.reasons[0] if self.reasons else None

    @property
    def headers(self) -> Headers:
        return []


class Malformed(Failure):
    status, error_type = 400, "validation"
    when = "The bytes are not a request of HTTP, or a cross-origin request is not allowed."
    example = "the Host header is missing"


class Unauthorized(Failure):
    status, error_type = 401, "unauthorized"
    when = "The API key is wrong or missing."
    example = "an API key is required"
    documented_headers: ClassVar = {"www-authenticate": "`Bearer`"}

    @property
    def headers(self) -> Headers:
        return [(b"www-authenticate", b"Bearer")]


class NotFound(Failure):
    status, error_type = 404, "not_found"
    when = "There is nothing of this name."
    example = "there is nothing at this path"


class MethodNotAllowed(Failure):
    status, error_type = 405, "method_not_allowed"
    when = "The path does not have this method."
    example = "GET is not allowed here"
    documented_headers: ClassVar = {"allow": "the methods of this path"}

    def __init__(self, message: str, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed

    @property
    def headers(self) -> Headers:
        return [(b"allow", self.allowed.encode("ascii"))]


class TooLarge(Failure):
    status, error_type = 413, "too_large"
    when = "The body, the headers or the number of texts is over the limit."
    example = "inputs: 300 texts, at most 256 are allowed"


class UnknownEncoding(Failure):
    status, error_type = 415, "validation"
    when = "The body has a content encoding other than gzip or deflate."
    example = "content-encoding: must be gzip or deflate"
    documented_headers: ClassVar = {"accept-encoding": "the encodings that are understood"}

    def __init__(self, accepted: str) -> None:
        super().__init__(f"content-encoding: must be {accepted.replace(', ', ' or ')}")
        self.accepted = accepted

    @property
    def headers(self) -> Headers:
        return [(b"accept-encoding", self.accepted.encode("ascii"))]


class Invalid(Failure):
    status, error_type = 422, "validation"
    when = "The request is not valid; the sentence names field and index."
    example = "inputs[1]: the text is blank"


class Overloaded(Failure):
    """Refused before any work was done; ``retry_seconds`` is when the backlog will have drained."""

    status, error_type = 429, "overloaded"
    when = "Too much is waiting; refused at once."
    example = "the queue is full"
    documented_headers: ClassVar = {
        "retry-after": "seconds until the queue has drained, rounded up",
        "retry-after-ms": "the same in milliseconds",
    }
    reasons = ("queue_full", "deadline_unreachable")

    def __init__(self, message: str, rejection: str, retry_seconds: float) -> None:
        super().__init__(message)
        self._rejection = rejection
        self.retry_seconds = retry_seconds

    @property
    def rejection(self) -> str:
        return self._rejection

    @property
    def headers(self) -> Headers:
        return [
            (b"retry-after", b"%d" % max(1, math.ceil(self.retry_seconds))),
            (b"retry-after-ms", b"%d" % max(1, math.ceil(self.retry_seconds * 1000))),
        ]


class Internal(Failure):
    status, error_type = 500, "internal"
    when = "The service failed."
    example = "an internal error"


class NotSupported(Failure):
    status, error_type = 501, "validation"
    when = "A transfer coding other than chunked, or a tunnel."
    example = "transfer-encoding: only chunked is understood"


class Unavailable(Failure):
    status, error_type = 503, "unavailable"
    when = "The service is starting or ending."
    example = "the service is starting: no worker is ready yet"
    reasons = ("unavailable",)


class DeadlinePassed(Failure):
    status, error_type = 504, "deadline"
    when = "The deadline passed before an answer."
    example = "the deadline passed"
    reasons = ("deadline_passed",)


class ClientGone(Exception):
    """The client closed its connection; nobody is left to answer. Counted as code 499."""

    status = 499
    rejection = "client_gone"


FAILURES: tuple[type[Failure], ...] = (
    *(Malformed, Unauthorized, NotFound, MethodNotAllowed, TooLarge, UnknownEncoding, Invalid),
    *(Overloaded, Internal, NotSupported, Unavailable, DeadlinePassed),
)
STATUSES = sorted({*(failure.status for failure in FAILURES), ClientGone.status})
REASONS = (*(reason for failure in FAILURES for reason in failure.reasons), ClientGone.rejection)
