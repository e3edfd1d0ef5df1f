"""The pages ``/`` and ``/docs``: files read once, with headers that let them load nothing else."""

import hashlib
from pathlib import Path

from fastapi import FastAPI, Request, Response

from service.failure import NotFound
from service.http.registration import register

DIRECTORY = Path(__file__).parent / "page"
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class PageFile:
    """One file with the headers it is served with."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        self.headers = {
            "content-type": CONTENT_TYPES[path.suffix],
            "content-security-policy": POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            # Asked about each time and mostly answered with 304: a new version shows at once.
            "cache-control": "no-cache",
            "etag": f'"{hashlib.sha256(self.content).hexdigest()[:32]}"',
        }

    def answer(self, request: Request) -> Response:
        if request.headers.get("if-none-match") == self.headers["etag"]:
            return Response(status_code=304, headers=self.headers)
        return Response(self.content, headers=self.headers)


class PageRoutes:
    """``/``, ``/docs`` and ``/page/…``: for browsers."""

    def __init__(self) -> None:
        self._files = {path.name: PageFile(path) for path in DIRECTORY.iterdir()}

    def add_to(self, app: FastAPI) -> None:
        register(app, "/", self.page)
        register(app, "/docs", self.docs)
        register(app, "/page/{name}", self.page_file)

    async def page(self, request: Request) -> Response:
        return self._files["index.html"].answer(request)

    async def docs(self, request: Request) -> Response:
        return self._files["docs.html"].answer(request)

    async def page_file(self, request: Request, name: str) -> Response:
        if name not in self._files:
            raise NotFound("there is nothing at this path")
        return self._files[name].answer(request)
