"""What HTTP demands of a request's head beyond what the parser checks."""

import httptools

from service.failure import Failure, Malformed, NotSupported

Fields = list[tuple[bytes, bytes]]


def failure_of(fields: Fields, version: str) -> Failure | None:
    """RFC 9112: one Host (section 3.2), and no transfer coding but chunked (section 6.1)."""
    hosts = codings = 0
    for name, value in fields:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            codings += 1
            if codings > 1 or value.strip().lower() != b"chunked":
                return NotSupported("transfer-encoding: only chunked is understood")
    if hosts > 1:
        return Malformed("the Host header is there more than once")
    if not hosts and version == "1.1":
        return Malformed("the Host header is missing")
    return None


def malformed(error: httptools.HttpParserError) -> Malformed:
    """The parser's reasons are fixed sentences, which quote nothing."""
    if isinstance(error, httptools.HttpParserCallbackError):
        return Malformed("the request's target is not a path")
    return Malformed(f"the request is not HTTP/1.1: {error}")


def head_without_upgrade(method: bytes, target: bytes, version: str, fields: Fields) -> bytes:
    """The same request, without the offer to speak another protocol."""
    line = b"%b %b HTTP/%b\r\n" % (method, target, version.encode("ascii"))
    kept = [b"%b: %b\r\n" % field for field in fields if field[0] != b"upgrade"]
    return line + b"".join(kept) + b"\r\n"
