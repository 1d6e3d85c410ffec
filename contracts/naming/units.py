"""Units of the vocabulary, and numbers in them, as people write them."""

from __future__ import annotations

UNITS = {
    "": "",
    "1": "",
    "%": "%",
    "/d": "a day",
    "/min": "a minute",
    "Hz": "Hz",
    "Hz/min": "Hz a minute",
    "a": "years",
    "deg": "degrees",
    "h": "hours",
    "h/d": "hours a day",
    "kg/m2": "kg/m\u00b2",
    "kg": "kg",
    "kgf": "kgf",
    "km/d": "km a day",
    "m": "metres",
    "mL/kg/min": "mL/kg a minute",
    "m/s": "metres a second",
    "m[g]": "milli-g",
    "min/d": "minutes a day",
    "mm[Hg]": "mmHg",
    "ms": "ms",
    "s": "seconds",
    "uV": "\u00b5V",
    "{count}": "",
    "{count}/d": "counts a day",
    "{count}/min": "counts a minute",
    "{log count}/d": "(logarithm of counts a day)",
    "{mims}/d": "MIMS units a day",
    "{score}": "points",
}
"""UCUM units in words; none where the name of what is counted says it."""


def unit_in_words(unit: str) -> str:
    """Return a UCUM unit as it stands behind a number; one that is not known as it is written."""
    return UNITS.get(unit, unit)


def readable(value: float) -> str:
    """Return a number with about three digits that mean something."""
    size = abs(value)
    if size >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"
