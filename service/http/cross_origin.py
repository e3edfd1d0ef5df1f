"""Which pages of other origins may ask, as browsers ask it (CORS)."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class CrossOrigin(CORSMiddleware):
    """Decides with Starlette, and lets the gateway answer: preflights are counted and refused in
    the one form like any other request."""

    def __init__(self, gateway: ASGIApp, origins: list[str]) -> None:
        super().__init__(
            gateway,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["*"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if scope["method"] == "OPTIONS" and {"origin", "access-control-request-method"} <= set(
            headers
        ):
            scope["preflight"] = self.preflight_response(headers)
            await self.app(scope, receive, send)
        else:
            await self.simple_response(scope, receive, send, request_headers=headers)
