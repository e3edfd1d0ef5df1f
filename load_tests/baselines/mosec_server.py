"""Mosec: HTTP and dynamic batching in Rust, inference in Python processes."""

from typing import Any

from mosec import Server, Worker

from load_tests.baselines.classifier import BATCH_TEXTS, WORKERS, Classifier, LabelScore

MAX_WAIT_MILLISECONDS = 1


class ClassifierWorker(Worker):
    def __init__(self) -> None:
        super().__init__()
        self.classify = Classifier()

    def forward(self, data: list[dict[str, Any]]) -> list[list[LabelScore]]:
        return self.classify([request["inputs"] for request in data])


if __name__ == "__main__":
    server = Server()
    server.append_worker(
        ClassifierWorker,
        num=WORKERS,
        max_batch_size=BATCH_TEXTS,
        max_wait_time=MAX_WAIT_MILLISECONDS,
        route="/predict",
    )
    server.run()
