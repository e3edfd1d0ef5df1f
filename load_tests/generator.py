"""A load generator that is cheap and sends on time.

One thread, non-blocking sockets, prepared request bytes: 25 to 60 µs of a core per request. An
event loop's timers are whole milliseconds (``epoll_wait`` has no finer), which would show in the
latency of a service that answers within one; ``select`` takes microseconds, so it waits on the
epoll descriptor.
"""

import re
import resource
import select
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
SOCKET_SECONDS_LIMIT = 5.0
ANSWER_SECONDS_LIMIT = 15.0
MOST_CONNECTIONS = 2000
LATE_SECONDS = 0.005


@dataclass(slots=True)
class Sample:
    """One request. Latency counts from ``intended_at``, when an open loop meant to send it."""

    index: int  # of the request in the list that was given
    intended_at: float  # seconds of time.monotonic(), as is the next
    ended_at: float
    status: int
    response: bytes  # headers and body, empty unless they were asked for

    @property
    def seconds(self) -> float:
        return self.ended_at - self.intended_at


@dataclass(slots=True)
class Outcome:
    """The result of a load. ``lost`` are requests that were sent and never answered."""

    samples: list[Sample] = field(default_factory=list)
    lost: int = 0
    unsent: int = 0  # due, but no connection was free and no more were allowed
    seconds: float = 0.0
    generator_cores: float = 0.0  # mean share of cores that sending and receiving took
    late_p99_seconds: float = 0.0  # how late an open loop sent, when it had a free connection

    @property
    def generator_is_bottleneck(self) -> bool:
        return self.generator_cores > 0.9 or self.late_p99_seconds > LATE_SECONDS

    def answered(self, status: int = 200) -> list[Sample]:
        return [sample for sample in self.samples if sample.status == status]


class _Connection:
    __slots__ = ("buffer", "index", "intended_at", "socket")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, SOCKET_SECONDS_LIMIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.index = -1
        self.intended_at = 0.0

    def send(self, request: bytes, index: int, intended_at: float) -> None:
        self.index, self.intended_at = index, intended_at
        self.socket.sendall(request)


class Generator:
    """Sends prepared requests to one address, in turn."""

    def __init__(self, address: tuple[str, int], requests: Sequence[bytes]) -> None:
        self._address = address
        self._requests = requests

    def closed(self, clients: int, seconds: float, keep_responses: bool = False) -> Outcome:
        """Each client sends its next request as soon as its last one has been answered."""
        return _Run(self._address, self._requests, keep_responses).closed(clients, seconds)

    def open(
        self, arrivals: Iterator[float], seconds: float, keep_responses: bool = False
    ) -> Outcome:
        """Requests are sent at the times in ``arrivals``, seconds from the start."""
        return _Run(self._address, self._requests, keep_responses).open(arrivals, seconds)


class _Run:
    def __init__(
        self, address: tuple[str, int], requests: Sequence[bytes], keep_responses: bool
    ) -> None:
        self._address = address
        self._requests = requests
        self._keep_responses = keep_responses
        self._epoll = select.epoll()  # first, because select() refuses descriptors above 1,023
        self._busy: dict[int, _Connection] = {}
        self._idle: list[_Connection] = []
        self._next_index = 0
        self._outcome = Outcome()
        self._late_seconds: list[float] = []

    def closed(self, clients: int, seconds: float) -> Outcome:
        started_at, processor_seconds = time.monotonic(), _processor_seconds()
        stop_at = started_at + seconds
        try:
            self._idle = [self._connect() for _ in range(clients)]
            while (at := time.monotonic()) < stop_at:
                while self._idle:
                    self._send(at)
                while len(self._busy) + len(self._idle) < clients:
                    self._idle.append(self._connect())
                self._receive(min(0.5, stop_at - at))
            self._finish(started_at, processor_seconds)
        finally:
            self._close()
        return self._outcome

    def open(self, arrivals: Iterator[float], seconds: float) -> Outcome:
        waiting: deque[float] = deque()
        started_at, processor_seconds = time.monotonic(), _processor_seconds()
        stop_at = started_at + seconds
        arrives_at = started_at + next(arrivals)
        try:
            at = started_at
            while at < stop_at:
                at = time.monotonic()  # the last turn, past the end, sends what was due before it
                while arrives_at <= at and arrives_at < stop_at:
                    waiting.append(arrives_at)
                    arrives_at = started_at + next(arrivals)
                while waiting and (self._idle or len(self._busy) < MOST_CONNECTIONS):
                    if self._idle:
                        self._late_seconds.append(at - waiting[0])
                    else:
                        self._idle.append(self._connect())
                    self._send(waiting.popleft())
                self._receive(max(0.0, min(arrives_at, stop_at) - time.monotonic()))
            self._outcome.unsent = len(waiting)
            self._finish(started_at, processor_seconds)
        finally:
            self._close()
        return self._outcome

    def _connect(self) -> _Connection:
        connection = _Connection(self._address)
        self._epoll.register(connection.socket, select.EPOLLIN)
        return connection

    def _send(self, intended_at: float) -> None:
        connection = self._idle.pop()
        index = self._next_index % len(self._requests)
        self._next_index += 1
        self._busy[connection.socket.fileno()] = connection
        try:
            connection.send(self._requests[index], index, intended_at)
        except OSError:
            self._lose(connection)

    def _receive(self, seconds_limit: float) -> None:
        select.select([self._epoll], [], [], seconds_limit)
        for descriptor, _ in self._epoll.poll(0):
            connection = self._busy.get(descriptor)
            if connection is None:  # the server closed an idle connection
                self._idle = [idle for idle in self._idle if self._still_open(idle, descriptor)]
                continue
            try:
                received = connection.socket.recv(1 << 16)
            except OSError:
                received = b""
            if not received:
                self._lose(connection)
                continue
            connection.buffer += received
            self._take_answer(connection)

    def _take_answer(self, connection: _Connection) -> None:
        buffer = connection.buffer
        header_end = buffer.find(b"\r\n\r\n")
        if header_end < 0:
            return
        header = buffer[: header_end + 2]
        length = CONTENT_LENGTH.search(header)
        if length is not None:
            complete = len(buffer) >= header_end + 4 + int(length[1])
        else:
            complete = not CHUNKED.search(header) or buffer.endswith(b"\r\n0\r\n\r\n")
        if not complete:
            return
        sample = Sample(
            connection.index,
            connection.intended_at,
            time.monotonic(),
            int(buffer[9:12]),
            buffer if self._keep_responses else b"",
        )
        self._outcome.samples.append(sample)
        del self._busy[connection.socket.fileno()]
        connection.buffer = b""
        if CLOSES.search(header):
            self._epoll.unregister(connection.socket)
            connection.socket.close()
        else:
            self._idle.append(connection)

    def _lose(self, connection: _Connection) -> None:
        self._outcome.lost += 1
        del self._busy[connection.socket.fileno()]
        self._epoll.unregister(connection.socket)
        connection.socket.close()

    def _still_open(self, connection: _Connection, descriptor: int) -> bool:
        if connection.socket.fileno() != descriptor:
            return True
        self._epoll.unregister(descriptor)
        connection.socket.close()
        return False

    def _finish(self, started_at: float, processor_seconds: float) -> None:
        """Receive the answers that are still in flight."""
        outcome = self._outcome
        outcome.seconds = time.monotonic() - started_at
        outcome.generator_cores = (_processor_seconds() - processor_seconds) / outcome.seconds
        if self._late_seconds:
            outcome.late_p99_seconds = percentile(self._late_seconds, 99)
        stop_at = time.monotonic() + ANSWER_SECONDS_LIMIT
        while self._busy and time.monotonic() < stop_at:
            self._receive(0.1)
        outcome.lost += len(self._busy)

    def _close(self) -> None:
        for connection in (*self._idle, *self._busy.values()):
            connection.socket.close()
        self._epoll.close()


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank; NaN of nothing."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def http_request(path: str, body: bytes, port: int) -> bytes:
    """The bytes of a POST with a JSON body."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
