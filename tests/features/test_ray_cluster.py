"""An address at which no Ray cluster is, is refused in a sentence by whatever would use one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from contracts.errors import ServiceUnavailable
from features.ray_cluster import connected

RAISED = (
    ValueError("Invalid address format"), RuntimeError("Module: x does not exist."),
    ConnectionError("Could not connect"), ModuleNotFoundError("x"), TimeoutError("late"),
)  # fmt: skip


def cluster(error: Exception) -> Any:
    def init(**_: object) -> None:
        raise error

    return SimpleNamespace(is_initialized=lambda: False, init=init)


@pytest.mark.parametrize("error", RAISED)
def test_no_cluster_answers(error: Exception) -> None:
    with pytest.raises(ServiceUnavailable, match="no Ray cluster answers at 'nonsense://x'"):
        connected(cluster(error), "nonsense://x").__enter__()
    # One that is started here and fails is no fault of an address.
    with pytest.raises(type(error)):
        connected(cluster(error), None).__enter__()
