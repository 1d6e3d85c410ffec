"""The vocabulary: every code that a cohort may hold, with unit, plausible range and modality."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Literal

Better = Literal["higher", "lower"]
"""Whether higher or lower scores of an instrument are better."""

NOT_RECORDED = "not recorded"
"""The group of people whose value is missing: shown, counted and audited like any other."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One entry of the vocabulary.

    Parameters
    ----------
    code
        As stored in a cohort: `LOINC//...` where a verified one exists, else `REHABCAST//...`.
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

    @property
    def is_numeric(self) -> bool:
        """True where the value is a number in `unit`."""
        return self.low is not None


@cache
def vocabulary() -> dict[str, Code]:
    """Return the vocabulary of `contracts/vocabulary.toml`, by code."""
    text = Path(__file__).with_name("vocabulary.toml").read_text("utf-8")
    entries = tomllib.loads(text)["code"]
    return {
        entry["code"]: Code(
            **{
                **entry,
                "kind": Kind(entry["kind"]),
                "domain": Domain(entry["domain"]),
                "labels": tuple(entry.get("labels", ())),
            }
        )
        for entry in entries
    }
