"""Connects to a Ray cluster (extra `scale`), for whatever runs over one."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from contracts.errors import ContractError, ServiceUnavailable


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
            "--engine ray needs Ray, which is not installed",
            "pip install 'rehabcast[scale]', or leave --engine out",
        ) from error
    return ray


@contextmanager
def connected(ray: Any, address: str | None) -> Iterator[None]:
    """Connect to a cluster for a block; None starts one on this machine and shuts it down again.

    A connection that exists already, to whatever cluster, is used and stays open.

    Raises
    ------
    ServiceUnavailable
        No cluster answers at the address, or it is none.
    """
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
    # Ray raises any of these for an address that is none or of nobody.
    except (ValueError, RuntimeError, OSError, ImportError) as error:
        if address is None:
            raise
        raise ServiceUnavailable(
            f"no Ray cluster answers at {address!r} ({type(error).__name__})",
            "give --ray-address as 10.0.0.1:6379, or leave it out to start one here",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
