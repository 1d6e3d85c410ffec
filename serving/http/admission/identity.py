"""Whose request it is: tokens are checked in threads of their own, within a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Scope

from serving.access.addresses import sender
from serving.access.authentication import Caller, allow, authenticate, needs_store
from serving.access.development import is_forwarded
from serving.access.tokens import AccessDenied
from serving.http.admission.limits import MAX_TOKENS, TOKEN_SECONDS
from serving.http.admission.routing import header_values
from serving.http.refusals import refusal_of, unavailable
from serving.http.runtime import Runtime


class Tokens:
    """Checks tokens; a store that hangs delays nobody whose token can be checked without it."""

    def __init__(self) -> None:
        self._without_store = ThreadPoolExecutor(MAX_TOKENS, "tokens")
        self._with_store = ThreadPoolExecutor(MAX_TOKENS, "tokens-used-once")

    async def caller_of(self, scope: Scope, runtime: Runtime, required_scope: str) -> Caller:
        """Return who sent a request.

        Raises
        ------
        RequestRefused
            The token is not valid, lacks the scope, or cannot be checked now.
        """
        token = _bearer(scope)

        def check() -> Caller:
            caller = authenticate(
                runtime.access, token, path=scope["path"], peer=peer_of(scope),
                now=datetime.now(UTC), use_once=runtime.store.use_once,
                forwarded=is_forwarded(scope["headers"]),
            )  # fmt: skip
            allow(caller, required_scope)
            return caller

        access = runtime.access
        if not (access.clients or access.issuers or access.cds_clients):
            # Nothing is read and nobody is asked: the only token is the development's.
            return self._at_once(check)
        of_client = needs_store(runtime.access, token)
        threads = self._with_store if of_client else self._without_store
        try:
            # Who gives up leaves the queue, or a thread that no more than finishes its check.
            checked = asyncio.get_running_loop().run_in_executor(threads, check)
            return await asyncio.wait_for(checked, TOKEN_SECONDS)
        except AccessDenied as denied:
            raise refusal_of(denied) from None
        except (SQLAlchemyError, TimeoutError):
            raise unavailable("tokens cannot be checked now") from None

    @staticmethod
    def _at_once(check: Callable[[], Caller]) -> Caller:
        try:
            return check()
        except AccessDenied as denied:
            raise refusal_of(denied) from None


def peer_of(scope: Scope) -> str:
    """Return the address that a request came from."""
    return str((scope.get("client") or ("", 0))[0])


def address_of(scope: Scope, runtime: Runtime) -> str:
    """Return the name under which requests without a token are counted."""
    return f"address {sender(peer_of(scope), scope['headers'], runtime.proxies)}"


def _bearer(scope: Scope) -> str:
    values = header_values(scope, b"authorization")
    if len(values) != 1:
        return ""
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
