"""Lets pages of declared origins send requests from a browser (WHATWG Fetch, CORS protocol).

A page sends a token of its own with each request and no cookie, so that credentials in the sense of
CORS are not allowed. What a page may read is what its token allows, as for every other caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

METHODS = ("GET", "POST")
SENT = ("Accept", "Authorization", "Content-Type")
"""By name: `*` would not cover Authorization."""

READ = ("Retry-After", "WWW-Authenticate")
PREFLIGHT_SECONDS = 600


class CrossOrigin:
    """ASGI middleware that answers preflights, and names the origin in every answer, also errors.

    Parameters
    ----------
    origins
        The declared ones, known once the service has started; with none it does nothing.
    """

    def __init__(self, app: ASGIApp, origins: Callable[[], Sequence[str]]) -> None:
        self.app, self._origins = app, origins
        self._by_origin: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with the fields of CORS where its origin is declared."""
        if scope["type"] != "http" or not (origins := self._origins()):
            await self.app(scope, receive, send)
            return
        if self._by_origin is None:
            self._by_origin = CORSMiddleware(
                self.app, allow_origins=origins, allow_methods=METHODS, allow_headers=SENT,
                expose_headers=READ, max_age=PREFLIGHT_SECONDS,
            )  # fmt: skip
        await self._by_origin(scope, receive, send)
