"""Where the real device files lie, beside the checkout; tests that need them skip without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.cohort import CODE, NUMBER
from features.importing import Imported

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here: real recordings were not tried")
    return SHARED


@pytest.fixture(scope="session")
def samples(shared: Path) -> Path:
    return shared / "device_samples"


@pytest.fixture(scope="session")
def daily() -> Callable[[Imported, str], list[float]]:
    """Takes the values of one code from an imported cohort."""

    def values(done: Imported, code: str) -> list[float]:
        events = done.cohort.events
        return [round(float(v), 2) for v in events.loc[events[CODE] == code, NUMBER]]

    return values
