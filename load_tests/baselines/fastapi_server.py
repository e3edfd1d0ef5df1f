"""FastAPI and a plain ``def`` endpoint: each request runs alone in a thread of the pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from load_tests.baselines.classifier import PORT, WORKERS, Classifier, LabelScore

classify = Classifier()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = WORKERS
    yield


app = FastAPI(lifespan=lifespan)


class PredictRequest(BaseModel):
    inputs: str


@app.post("/predict")
def predict(request: PredictRequest) -> list[LabelScore]:
    return classify([request.inputs])[0]


if __name__ == "__main__":
    uvicorn.run(
        app, port=PORT, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
