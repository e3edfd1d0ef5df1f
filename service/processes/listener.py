"""The port that the service listens on."""

import socket

from service.settings import SettingError, Settings


def bind_listener(settings: Settings) -> socket.socket:
    """The port, taken but not listened on before there is somebody to answer.

    Raises:
        SettingError: it can't be listened on, because somebody else does, for example.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        # Only listening finds out that somebody else does: both may have bound it to share it.
        with socket.create_server((settings.host, settings.port), family=family):
            pass
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. uvicorn takes a descriptor for a Unix socket, so nobody else sets
        # it, and an answer's body then waits 40 ms for the client to acknowledge its headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((settings.host, settings.port))
    except OSError as error:
        raise SettingError(
            f"port {settings.port} on {settings.host} can't be listened on: {error.strerror}"
        ) from None
    return listener
