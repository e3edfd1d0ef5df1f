"""Clients that ask without pause and check every answer, not only its status."""

import http.client
import json
import threading
from collections import Counter
from types import TracebackType
from typing import Any, Self

from tests.e2e.running_service import RunningService, wait_until

TEXTS = [
    "A lovely film, I enjoyed every minute of it.",
    "dreadful",
    "Two hours that I will not get back: " + "slow, loud and empty, " * 30,
    "The plot is thin but " + "the actors carry it. " * 8,
]
TOLERANCE = 1e-5


def scores(answer: list[dict[str, Any]]) -> dict[str, float]:
    return {entry["label"]: entry["score"] for entry in answer}


def same(got: dict[str, float], expected: dict[str, float]) -> bool:
    return got.keys() == expected.keys() and all(
        abs(got[label] - expected[label]) <= TOLERANCE for label in got
    )


class Load:
    """``with Load(service, clients=8) as load``: threads that send the texts in turn.

    ``codes`` counts the answers by status, ``wrong`` holds what a 200 said wrongly, ``lost`` what
    ended without an answer. A client goes on whatever happens until the load is stopped.
    """

    def __init__(self, service: RunningService, clients: int = 8, **options: object) -> None:
        self._port = service.port
        self._options = options
        self._expected = [scores(service.predict(text).json()) for text in TEXTS]
        self._stopped = threading.Event()
        self._answers = [0] * clients
        self._threads = [
            threading.Thread(target=self._ask, args=(client,)) for client in range(clients)
        ]
        self.codes: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.lost: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(120.0)
            assert not thread.is_alive(), "a client hangs: its request was never answered"

    def wait_for_everyone(self, answers: int) -> None:
        """Until each client has had so many more answers."""
        goals = [count + answers for count in self._answers]
        wait_until(
            lambda: all(map(int.__ge__, self._answers, goals)),
            f"every client is answered {answers} times more",
            seconds_limit=120.0,
        )

    def _ask(self, client: int) -> None:
        number = client
        connection: http.client.HTTPConnection | None = None
        while not self._stopped.is_set():
            number += 1
            index = number % len(TEXTS)
            body = json.dumps({"inputs": TEXTS[index], **self._options})
            connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, 120)
            try:
                connection.request("POST", "/predict", body, {"content-type": "application/json"})
                response = connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{type(error).__name__}: {error}")
                connection.close()
                connection = None
                self._stopped.wait(0.02)
                continue
            self.codes[response.status] += 1
            self._answers[client] += 1
            if response.status == 200 and not same(
                scores(json.loads(answer)), self._expected[index]
            ):
                self.wrong.append(answer.decode())
        if connection is not None:
            connection.close()
