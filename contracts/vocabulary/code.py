"""One entry of the vocabulary: a code that a cohort may hold, and what its values are."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Literal

Better = Literal["higher", "lower"]
"""Whether higher or lower scores of an instrument are better."""

NOT_RECORDED = "not recorded"
"""The group of people whose value is missing: shown, counted and audited like any other."""

REHABCAST_SYSTEM = "urn:rehabcast:vocabulary"
"""FHIR's system of codes of ours, and of a hospital's own under the whole code."""

SYSTEM_OF = {"LOINC": "http://loinc.org", "REHABCAST": REHABCAST_SYSTEM}
"""FHIR's system by the first part of a code."""


class Kind(StrEnum):
    """How a code occurs in time."""

    PERSON = "person"
    """A fact about the subject, once, without a time."""
    EVENT = "event"
    """A dated moment without a value, such as the onset."""
    ASSESSMENT = "assessment"
    """A bedside score, at most once a day."""
    DAILY = "daily"
    """A day's digital biomarker or dose, at most once a day."""


class Domain(StrEnum):
    """What of a person's functioning a measured code tells of."""

    ARM = "arm"
    WALKING = "walking"
    BALANCE = "balance"
    SELF_CARE = "self-care"
    ACTIVITY = "activity"
    HEART = "heart"
    SLEEP = "sleep"
    MOOD = "mood"
    PARTICIPATION = "participation"
    NONE = "none"
    """No domain: a fact of the person, care, or more than one domain."""


Confirm = Literal["range", "step", "direction"]
"""What of an entry may be only recalled, and read nowhere."""


def values_in_words(
    low: float | None, high: float | None, unit: str, labels: tuple[str, ...], better: Better | None
) -> str:
    """Say which values a code may have: range, unit and better end, or labels."""
    if low is None or high is None:
        return ", ".join(labels) or "any short label"
    return f"{low:g} to {high:g} {unit}{'' if better is None else f', {better} is better'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One entry of the vocabulary.

    Parameters
    ----------
    code
        As stored in a cohort: `LOINC//...` where a verified one exists, else `REHABCAST//...`, or a
        hospital's own, such as `OURHOSPITAL//KNEE_SCORE`.
    name
        In words, as shown to a clinician.
    kind, modality
        How it occurs, and the group in which it is encoded and explained.
    domain
        What of a person's functioning it tells of.
    unit
        UCUM unit of `numeric_value`; empty for labels and events.
    low, high
        Plausible range of the number, both ends included; None where the value is a label.
    labels
        Allowed `text_value`s; empty with `unit` empty means any short label (a site's name).
    better, step
        Whether higher or lower scores of an assessment are better, and the distance between
        neighbouring scores; 0 where any number can be a score.
    source
        Where the code and its range come from.
    fhir
        Codes of a record system that mean the same, as `system|code`.
    confirm
        What of the entry was read nowhere and has to be confirmed.
    """

    code: str
    name: str
    kind: Kind
    modality: str
    domain: Domain = Domain.NONE
    unit: str = ""
    low: float | None = None
    high: float | None = None
    labels: tuple[str, ...] = ()
    better: Better = "higher"
    step: float = 0.0
    source: str
    fhir: tuple[str, ...] = ()
    confirm: tuple[Confirm, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """True where the value is a number in `unit`."""
        return self.low is not None

    @property
    def to_confirm(self) -> str:
        """What has to be confirmed, in words; empty where nothing has."""
        *others, last = self.confirm or ("",)
        named = f"{', '.join(others)} and {last}" if others else last
        return f"{named} to be confirmed" if named else ""

    def doubt(self, part: Confirm) -> str:
        """Return what stands behind a part in messages: nothing where it was read."""
        return " (to be confirmed)" if part in self.confirm else ""

    @property
    def kept_range(self) -> tuple[float, float]:
        """Ends of the range as a cohort keeps numbers, in 32 bits; not numbers for a label."""
        if self.low is None or self.high is None:
            return math.nan, math.nan
        low, high = struct.unpack("2f", struct.pack("2f", self.low, self.high))
        return min(self.low, low), max(self.high, high)

    @property
    def tokens(self) -> tuple[str, ...]:
        """FHIR's `system|code` of this code: its own first, then those of record systems."""
        system, _, own = self.code.partition("//")
        if not own:
            return self.fhir
        if system in SYSTEM_OF:
            return (f"{SYSTEM_OF[system]}|{own}", *self.fhir)
        return (f"{REHABCAST_SYSTEM}|{self.code}", *self.fhir)

    def differences(self, other: Code) -> Iterator[tuple[str, object, object]]:
        """Yield each field in which two entries differ, with both values."""
        for field in fields(self):
            ours, theirs = getattr(self, field.name), getattr(other, field.name)
            if ours != theirs:
                yield field.name, ours, theirs
