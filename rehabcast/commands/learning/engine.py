"""Where computations run: the option that commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Engine(StrEnum):
    """Where a computation runs."""

    LOCAL = "local"
    RAY = "ray"


EngineOption = Annotated[
    Engine,
    typer.Option(help="local: in this process; ray: on a cluster (needs the extra `scale`)."),
]
RayAddress = Annotated[
    str | None, typer.Option(help="Address of the Ray cluster; without it, one is started here.")
]
