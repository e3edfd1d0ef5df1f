"""The LitSpec: it owns ``/predict`` and describes it to OpenAPI."""

from litserve.specs.base import LitSpec

from service.http.request_body import PredictReply, PredictRequest


async def predict(request: PredictRequest) -> PredictReply:
    """Sentiment of one text or a batch: every label with its score, highest first.

    Errors have one form for every route: `error`, `error_type`, `request_id`.
    """
    raise NotImplementedError("the gateway answers in front of FastAPI; this is its description")


class PredictSpec(LitSpec):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.api_path = "/predict"
        self.add_endpoint("/predict", predict, ["POST"])
