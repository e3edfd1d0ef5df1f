"""Signals that come before there is somebody to act on them, and one that nobody acts on."""

import signal

ENDING = {signal.SIGTERM, signal.SIGINT}


def hold_back_signals() -> None:
    """Keep signals to end pending until ``let_signals_through``, and ignore SIGHUP.

    The kernel throws away a signal that process 1 of a container has no handler for, unless it is
    blocked (signal(7), pid_namespaces(7)). A terminal that is closed is no reason to end; as an
    ignored signal SIGHUP is inherited by every process of the service.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def let_signals_through() -> None:
    """What has been pending comes now: its handler may raise here."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
