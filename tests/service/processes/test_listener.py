"""The listening socket: who gets it, and what its connections inherit."""

import socket

import pytest

from service.processes.listener import bind_listener, listen, local_url
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


def test_of_two_that_bound_one_port_the_first_to_listen_has_it() -> None:
    settings = read_settings(["--port", str(free_port())])
    with bind_listener(settings) as one, bind_listener(settings) as other:
        assert listen(other, settings) is None
        assert listen(other, settings) is None  # another of its API processes
        refusal = listen(one, settings)
    assert refusal is not None
    assert f"port {settings.port} on 127.0.0.1 can't be listened on: Address already" in refusal


@pytest.mark.parametrize(
    ("host", "reached_at"),
    [
        ("localhost", "127.0.0.1"),
        ("127.0.0.3", "127.0.0.3"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "[::1]"),
        ("::", "[::1]"),
    ],
)
def test_any_address_of_this_machine_can_be_listened_on(host: str, reached_at: str) -> None:
    settings = read_settings(["--host", host, "--port", str(free_port())])
    with bind_listener(settings) as listener:
        assert listen(listener, settings) is None
        assert local_url(listener) == f"http://{reached_at}:{settings.port}"
        with socket.create_connection((reached_at.strip("[]"), settings.port)):
            pass


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(SettingError, match=r"on 192\.0\.2\.1 can't be listened on: Cannot assign"):
        bind_listener(read_settings(["--host", "192.0.2.1", "--port", str(free_port())]))
