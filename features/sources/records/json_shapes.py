"""What is read of a JSON document whose writer may have put anything anywhere.

A document is read before anybody has checked it: which resources it holds, of whom, in which
version. These functions return a value of the shape that is read there, and an empty one for every
other, so that no value at any place is an error.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

HEAVY = 3


def text(value: Any) -> str:
    """Return a text, or a number as it is written; empty for anything else."""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else ""


def mapping(value: Any) -> dict[str, Any]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; none for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def number(value: Any) -> float:
    """Return a number, NaN for anything else; infinite where it is too large."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except ValueError:
        return math.nan
    except OverflowError:
        return math.inf


def objects_in(value: Any, most: int, *, heavy: Collection[str] = ()) -> int:
    """Count the objects in a value and within it, no further than to just over `most`.

    Parameters
    ----------
    heavy
        An object with one of these fields counts as `HEAVY`.
    """
    count, open_values = 0, [value]
    while open_values and count <= most:
        current = open_values.pop()
        if isinstance(current, dict):
            count += 1 if current.keys().isdisjoint(heavy) else HEAVY
            open_values.extend(v for v in current.values() if isinstance(v, dict | list))
        elif isinstance(current, list):
            open_values.extend(v for v in current if isinstance(v, dict | list))
    return count
