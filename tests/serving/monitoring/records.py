"""Records for the tests of monitoring."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.observation import Observation


def observed(values: Mapping[str, Mapping[int, float]]) -> list[Observation]:
    """Return observations of values by code and day."""
    return [
        Observation(code=code, day_since_onset=day, value=float(value))
        for code, by_day in values.items()
        for day, value in by_day.items()
    ]
