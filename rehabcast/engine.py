"""Where heavy work is done."""

from __future__ import annotations

from enum import StrEnum


class Engine(StrEnum):
    """Where to work."""

    LOCAL = "local"
    RAY = "ray"
