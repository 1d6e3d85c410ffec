"""Serves a BentoML service on one socket, with as many workers as it asks for."""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable
from functools import partial
from typing import Any

from serving.server.listening import bind
from serving.server.supervisor import Supervisor
from serving.server.worker import run_worker

OPEN_FILES = 65_536
"""Open files that a worker may have, if the system lets it: each connection is one."""


def serve(load: Callable[[], Any], host: str, port: int) -> int:
    """Serve until SIGTERM; return the exit code.

    Parameters
    ----------
    load
        Returns the BentoML service; called once the address is known to be free, as it takes long.

    Raises
    ------
    RehabcastError
        The address cannot be used, or the service cannot be loaded.
    """
    listener = bind(host, port)
    _allow_connections()
    _configure_logging()
    service = load()
    workers = int(service.config.get("workers", 1))
    if workers == 1:
        return run_worker(service, listener)
    work: Callable[[Callable[[], None], int], int] = partial(run_worker, service, listener)
    return Supervisor(work, workers).run()


def _allow_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _configure_logging() -> None:
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("rehabcast").setLevel(logging.INFO)
    # Both print a traceback for a start that fails, where the worker says it in words, and one a
    # line for each malformed request, which fills a disk.
    logging.getLogger("bentoml").setLevel(logging.CRITICAL)
    # It names the registry's host at each attempt; what could not be had is said in our words.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
