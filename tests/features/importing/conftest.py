from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


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
