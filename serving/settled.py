"""Types of the answer about what would make a range narrower."""

from __future__ import annotations

from msgspec import Struct


class NextMeasurement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one more score would be worth: the width of the 80 % range with it, on average.

    If it is measured in `days` days and nothing else is; for the same day of the calendar.
    """

    days: int
    horizon_weeks: int
    width_80: float | None = None
    """Of the range now, score points; null where it is not known what a score would be worth."""
    expected_width_80: float | None = None
    narrower_by: float | None = None
    why_not_known: str = ""


class Uncertainty(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of the width of the 80 % range at one horizon: what would settle it, and what stays open."""

    horizon_weeks: int
    width_80: float
    """Of the range now, score points."""
    by_measuring_again: float | None = None
    """By how much narrower with one more score (`next_measurement`); null where nobody knows."""
    by_more_people: float | None = None
    """By how much narrower if the model had learned from any number of people like those it learned
    from; null of models of earlier versions, which did not measure it."""
    stays_open: float | None = None
    """Width with both; null where one of them is not known."""
