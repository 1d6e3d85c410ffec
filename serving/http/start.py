"""The service starts under our own server only.

BentoML's process supervisor opens a port on loopback through which anybody on the machine can run
commands as the service's user, without a password.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.errors import ServiceUnavailable

SERVER_EXTENSION = "rehabcast.server"
"""ASGI extension by which a server says that it opens no socket but the one it listens on, and
keeps the deadlines of connections."""

NOT_SERVED = ServiceUnavailable(
    "BentoML's own server opens a port through which anybody on this machine can run commands as"
    " the service's user, so the service does not start under it",
    "serve it with `rehabcast serve`",
)


class StartedByOurServer:
    """ASGI middleware that ends the start of the service under any other server."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on everything but a start by another server."""
        if scope["type"] == "lifespan" and SERVER_EXTENSION not in scope.get("extensions", {}):
            # An exception would not do: some servers take it for an application without a start.
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(NOT_SERVED)})
            return
        await self.app(scope, receive, send)
