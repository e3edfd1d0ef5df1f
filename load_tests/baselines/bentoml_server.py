"""BentoML: a batchable API with adaptive batching. Clients send a list with one text."""

import bentoml

from load_tests.baselines.classifier import BATCH_TEXTS, WORKERS, Classifier, LabelScore


@bentoml.service(workers=WORKERS, traffic={"timeout": 60, "max_concurrency": 1000})
class ClassifierService:
    def __init__(self) -> None:
        self.classify = Classifier()

    @bentoml.api(batchable=True, max_batch_size=BATCH_TEXTS, max_latency_ms=1000, route="/predict")
    def predict(self, inputs: list[str]) -> list[list[LabelScore]]:
        return self.classify(inputs)
