"""Where heavy work is done."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Engine(StrEnum):
    """Where to work."""

    LOCAL = "local"
    RAY = "ray"


EngineOption = Annotated[
    Engine, typer.Option(help="local: this process; ray: a cluster (extra scale).")
]
RayAddress = Annotated[
    str | None, typer.Option(help="Address of the Ray cluster; without, one is started here.")
]
