"""Ray Serve: replicas behind its proxy, each gathering requests with ``serve.batch``."""

import threading
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from load_tests.baselines.classifier import BATCH_TEXTS, PORT, WORKERS, Classifier, LabelScore


@serve.deployment(
    num_replicas=WORKERS,
    max_ongoing_requests=4 * BATCH_TEXTS,
    ray_actor_options={"num_cpus": 0},
)
class ClassifierDeployment:
    def __init__(self) -> None:
        self.classify = Classifier()

    @serve.batch(max_batch_size=BATCH_TEXTS, batch_wait_timeout_s=0.002)
    async def predict(self, texts: list[str]) -> list[list[LabelScore]]:
        return self.classify(texts)

    async def __call__(self, request: Request) -> list[LabelScore]:
        answer: list[LabelScore] = await self.predict((await request.json())["inputs"])
        return answer


if __name__ == "__main__":
    ray.init(
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=100 << 20,
        _node_ip_address="127.0.0.1",
        configure_logging=False,
    )
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    deployment: Any = ClassifierDeployment  # which the decorator has changed
    serve.run(deployment.bind(), route_prefix="/predict")
    threading.Event().wait()
