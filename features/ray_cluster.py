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
            "--engine ray needs Ray, which is not installed",
            "pip install 'rehabcast[scale]', or leave --engine out",
        ) from error
    return ray


@contextmanager
def connected(ray: Any, address: str | None) -> Iterator[None]:
    """Connect to a cluster for a block; None starts one on this machine and shuts it down again.

    A connection that exists already, to whatever cluster, is used and stays open.
    """
    if ray.is_initialized():
        yield
        return
    ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()
