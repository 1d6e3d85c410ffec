"""Connects to a Ray cluster (extra `scale`), for whatever runs over one."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from contracts.errors import ContractError


def import_ray(part: str) -> Any:
    """Return Ray with one of its parts imported, such as `data` or `train`.

    Raises
    ------
    ContractError
        The extra `scale` is not installed.
    """
    try:
        ray = importlib.import_module("ray")
        importlib.import_module(f"ray.{part}")
    except ImportError as error:
        raise ContractError(
            "--engine ray needs Ray: pip install 'rehabcast[scale]', or leave --engine out"
        ) from error
    return ray


@contextmanager
def connected(ray: Any, address: str | None) -> Iterator[None]:
    """Be connected to a cluster; None starts one on this machine, and ends it again.

    Whoever is connected already stays so, wherever that is.
    """
    if ray.is_initialized():
        yield
        return
    ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()
