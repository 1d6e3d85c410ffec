from __future__ import annotations

import os
import random
import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

RUN = 0 if "CI" in os.environ else secrets.randbits(31)
"""CI draws the same examples each time, as for hypothesis; a laptop draws new ones."""

EXAMPLES = [0, *(pytest.param(number, marks=pytest.mark.soak) for number in range(1, 10))]


@pytest.fixture(params=EXAMPLES)
def draw(request: pytest.FixtureRequest) -> random.Random:
    """Draw an example of a property whose examples take a while; many are for the soak.

    All properties begin with the same draw, so that what they compare with is made once.
    """
    seed = f"{RUN} {request.param}"
    print("drawn from", seed)  # noqa: T201  (shown where the test fails)
    return random.Random(seed)


@pytest.fixture(scope="session")
def awd() -> Callable[..., None]:
    """Writes an Actiwatch recording of counts by minute."""

    def write(
        file: Path, name: str, counts: np.ndarray, start: str = "04-Mar-2024", serial: str = "V1"
    ) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        header = [name, start, "00:00", "4", "00", serial, "X"]
        file.write_text("\r\n".join([*header, *(str(int(c)) for c in counts)]) + "\r\n")

    return write


@pytest.fixture
def import_map(tmp_path: Path) -> Callable[[str], Path]:
    """Writes an import map."""

    def write(text: str) -> Path:
        file = tmp_path / "map.toml"
        file.write_text(text)
        return file

    return write
