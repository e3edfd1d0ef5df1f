"""Stock LitServe: its own endpoint, request queue, batching and worker processes."""

from typing import Any

import litserve

from load_tests.baselines.classifier import (
    BATCH_TEXTS,
    PORT,
    WORKERS,
    Classifier,
    LabelScore,
)

BATCH_TIMEOUT_SECONDS = 0.002


class ClassifierAPI(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.classify = Classifier()

    def decode_request(self, request: dict[str, Any], **_: Any) -> str:
        return str(request["inputs"])

    def batch(self, inputs: list[str]) -> list[str]:
        return inputs

    def predict(self, x: Any, **_: Any) -> Any:
        return self.classify(x) if BATCH_TEXTS > 1 else self.classify([x])[0]

    def unbatch(self, output: list[list[LabelScore]]) -> list[list[LabelScore]]:
        return output

    def encode_response(self, output: list[LabelScore], **_: Any) -> list[LabelScore]:
        return output


if __name__ == "__main__":
    api = ClassifierAPI(
        api_path="/predict",
        max_batch_size=BATCH_TEXTS,
        batch_timeout=BATCH_TIMEOUT_SECONDS if BATCH_TEXTS > 1 else 0.0,
    )
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WORKERS, timeout=60)
    server.run(
        host="127.0.0.1",
        port=PORT,
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
