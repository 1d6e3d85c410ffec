"""A difference of two plans as answers carry it."""

from __future__ import annotations

from dataclasses import asdict

from contracts.task import Target
from inference.twin.compare import Array, difference
from serving.whatif import LevelDifference


def level_difference(one_I: Array, other_I: Array, target: Target) -> LevelDifference:
    """Compare the levels under two plans, of the same draws."""
    found = asdict(difference(one_I, other_I, target))
    return LevelDifference(**{name: found[name] for name in LevelDifference.__struct_fields__})
