"""What every Python of a mutant's run does first, also of the servers that a test starts."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from mutmut.mutation import trampoline

wrap_in_trampoline = trampoline.wrap_in_trampoline


def wrap(mutants: Any, is_classmethod: bool = False) -> Callable[[Any], Any]:
    """Wrap as mutmut does, and let an ASGI application keep its three parameters.

    Uvicorn tells an application from a factory of one by calling it with nothing.
    """
    decorator = wrap_in_trampoline(mutants, is_classmethod)

    def decorate(function: Any) -> Any:
        wrapped = decorator(function)
        if function.__name__ != "__call__" or not inspect.iscoroutinefunction(function):
            return wrapped

        @wraps(function)
        async def application(self: Any, scope: Any, receive: Any, send: Any) -> None:
            await wrapped(self, scope, receive, send)

        return application

    return decorate


trampoline.wrap_in_trampoline = wrap

if noted := os.environ.get("MUTANT_REACH"):
    reached, begun = Path(noted), Path(f"{noted}.round")
    seen: set[tuple[str, int]] = set()

    def hit(function: str, caller: str | None = None) -> None:
        """Note a call, once for each test."""
        # Touched when a test begins.
        test = begun.stat().st_mtime_ns
        if (function, test) not in seen:
            seen.add((function, test))
            with reached.open("a", encoding="utf-8") as file:
                file.write(f"{function}\n")

    trampoline.record_trampoline_hit = hit
