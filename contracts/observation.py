"""One observation of a patient's record, as requests carry it and a forecast reads it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

LAST_DAY = 40_000
Day = Annotated[int, Meta(ge=0, le=LAST_DAY, description="Whole days since onset.")]
Text = Annotated[str, Meta(max_length=100)]


class Observation(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One value of the record: a score, a day's biomarker, or a fact of the person."""

    code: Text
    day_since_onset: Day | None = None
    value: float | None = None
    label: Text | None = None
