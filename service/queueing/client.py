"""Whoever asked, as far as the queue needs to know."""

from collections.abc import Callable
from typing import Protocol


class Client(Protocol):
    """May leave before it is answered, and says so."""

    client_gone: bool
    on_client_gone: Callable[[], None] | None  # called when it leaves
