"""One worker: BentoML's ASGI application in uvicorn, on a socket that is already bound."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import RehabcastError
from serving.faults import place_of
from serving.http.start import SERVER_EXTENSION
from serving.server.connection import Connection
from serving.server.connections import IDLE_SECONDS, Connections
from serving.server.listening import BACKLOG

GRACE_SECONDS = 20
"""How long answers on their way may take once the worker has stopped listening."""

FAILED = 1
"""Exit code of a worker that did not start for a reason nobody foresaw."""

log = logging.getLogger("rehabcast.server")


class Started:
    """The application, with what the server says to it, and why it did not start."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.error: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; keep the error of a start that fails, which uvicorn only prints."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return

        async def without_traceback(message: Message) -> None:
            await send({"type": message["type"]})

        try:
            with_extension = {**scope, "extensions": {SERVER_EXTENSION: {}}}
            await self.app(with_extension, receive, without_traceback)
        except Exception as error:
            self.error = error


class Server(uvicorn.Server):
    """Uvicorn's server that says when it is ready, and ends with its parent."""

    def __init__(
        self,
        config: uvicorn.Config,
        connections: Connections,
        ready: Callable[[], None],
        lifeline: int | None,
    ) -> None:
        super().__init__(config)
        self._connections, self._ready, self._lifeline = connections, ready, lifeline

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen."""
        await super().startup(sockets)
        self._connections.keep_sweeping(asyncio.get_running_loop())
        if self._lifeline is not None:
            # The other end is the parent's: it closes when the parent ends, in whatever way.
            asyncio.get_running_loop().add_reader(self._lifeline, self._parent_ended)
        log.info("a worker takes requests")
        self._ready()

    def _parent_ended(self) -> None:
        assert self._lifeline is not None  # noqa: S101  (only then is it called)
        asyncio.get_running_loop().remove_reader(self._lifeline)
        os.kill(os.getpid(), signal.SIGTERM)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; uvicorn's own handler would end the process by the signal afterwards."""
        self.should_exit = True


def run_worker(
    service: Any,
    listener: socket.socket,
    ready: Callable[[], None] = lambda: None,
    lifeline: int | None = None,
) -> int:
    """Serve until SIGTERM; return the exit code.

    Parameters
    ----------
    service
        A BentoML service.
    ready
        Called once requests are taken.
    lifeline
        File descriptor that becomes readable when the parent has ended; None without a parent.
    """
    app = Started(service.to_asgi())
    connections = Connections()
    config = uvicorn.Config(
        app,
        # Uvicorn's types ask for a class; it only calls it.
        http=partial(Connection, connections),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        # Whoever is in front of the service names nobody else: see `serving.http.middleware`.
        proxy_headers=False,
        timeout_keep_alive=math.ceil(IDLE_SECONDS),
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    try:
        Server(config, connections, ready, lifeline).run(sockets=[listener])
    except SystemExit:
        # Uvicorn's way to say that the application did not start.
        return _not_started(app.error)
    return 0


def _not_started(error: Exception | None) -> int:
    if isinstance(error, RehabcastError):
        sys.stderr.write(f"rehabcast: {error}\n")
        return error.exit_code
    if error is not None:
        log.error("a worker did not start: %s", place_of(error))
    return FAILED
