"""The listening socket: who gets it, and what its connections inherit."""

import socket

import pytest

from service.processes.listener import bind_listener
from service.settings import SettingError, read_settings
from tests.e2e.running_service import free_port


def test_connections_send_small_answers_at_once() -> None:
    with bind_listener(read_settings(["--port", str(free_port())])) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()):
            connection, _ = listener.accept()
            with connection:
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=f"port {port} on 127.0.0.1"):
            bind_listener(read_settings(["--port", str(port)]))
