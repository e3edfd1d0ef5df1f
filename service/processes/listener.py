"""The port that the service listens on."""

import ipaddress
import socket
from typing import Any

from service.settings import SettingError, Settings

BACKLOG = 2048


def bind_listener(settings: Settings) -> socket.socket:
    """The port, taken but not listened on before there is somebody to answer.

    Raises:
        SettingError: it can't be listened on, because somebody else does, for example.
    """
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    try:
        # Not only split into its parts: an address of IPv6 may name an interface.
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )[0]
        # Only listening finds out that somebody else does: both may have bound it to share it.
        with _bound(family, kind, protocol, address) as probe:
            probe.listen()
        return _bound(family, kind, protocol, address)
    except OSError as error:
        raise SettingError(_refusal(settings, error)) from None


def listen(listener: socket.socket, settings: Settings) -> str | None:
    """Let clients in. What is wrong, in one sentence, if somebody else has come first.

    Any number of services may have bound the port while nobody listened; the kernel lets one of
    them listen. Every API process calls this for the socket that they share.
    """
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        return _refusal(settings, error)
    return None


def local_url(listener: socket.socket) -> str:
    """Where this machine reaches the service."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if address.version == 6 else f"http://{host}:{port}"


def _bound(family: int, kind: int, protocol: int, address: Any) -> socket.socket:
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. uvicorn takes a descriptor for a Unix socket, so nobody else sets
        # it, and an answer's body then waits 40 ms for the client to acknowledge its headers.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _refusal(settings: Settings, error: OSError) -> str:
    return f"port {settings.port} on {settings.host} can't be listened on: {error.strerror}"
