"""A bare ASGI application on uvicorn that reads a body and answers: what HTTP alone costs."""

from typing import Any

import uvicorn

from load_tests.baselines.classifier import PORT

ANSWER = b'[{"label":"positive","score":0.98},{"label":"negative","score":0.02}]'


async def echo(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    uvicorn.run(
        echo,
        port=PORT,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
