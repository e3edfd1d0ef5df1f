"""One connection, byte for byte: for what no well-bred HTTP client would send."""

import json
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.e2e.running_service import RunningService

KEY = "open-sesame"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The one form of every error, or this fails."""
        error: dict[str, Any] = json.loads(self.body)
        assert error.keys() == {"error", "error_type", "request_id"}
        assert error["request_id"] == self.headers["x-request-id"]
        assert self.headers["content-type"] == "application/json"
        return error


class RawConnection:
    """``with RawConnection(service) as connection``."""

    def __init__(self, service: RunningService) -> None:
        self._socket = socket.create_connection(("127.0.0.1", service.port), 30.0)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_some(self, data: bytes) -> int:
        """As much as there is room for, without waiting for more."""
        self._socket.setblocking(False)
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        finally:
            self._socket.settimeout(30.0)

    def shut_writing(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def answer(self, of_head: bool = False) -> Answer:
        """The next one. ``of_head``: it answers HEAD and has no body."""
        status_line = self._file.readline()
        assert status_line.startswith(b"HTTP/1.1 "), status_line
        status = int(status_line.split()[1])
        headers: dict[str, str] = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        bodiless = of_head or status in (100, 204, 304)
        body = b"" if bodiless else self._file.read(int(headers["content-length"]))
        return Answer(status, headers, body)

    @property
    def closed(self) -> bool:
        """Waits for the next byte or the end, which must not be a reset."""
        return self._file.read(1) == b""


def request(
    method: str = "GET",
    path: str = "/livez",
    body: bytes = b"",
    version: str = "1.1",
    /,
    **headers: str,
) -> bytes:
    """``content_type="text/plain"`` is a header; the length is added unless the body is chunked."""
    fields = {"host": "service", "x_api_key": KEY, **headers}
    if (body or method == "POST") and "transfer_encoding" not in fields:
        fields.setdefault("content_length", str(len(body)))
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items() if value]
    return f"{method} {path} HTTP/{version}\r\n{''.join(lines)}\r\n".encode("latin-1") + body


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
