"""Codes of therapy: a day's minutes in all, and of which kind they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

THERAPY = "REHABCAST//THERAPY"
"""A day's minutes of therapy in all: each minute once, whatever its kinds."""

ADHERENCE = "REHABCAST//ADHERENCE"

DISCIPLINES = tuple(
    f"REHABCAST//THERAPY_{name}" for name in ("PHYSIO", "OCCUPATIONAL", "SPEECH", "OTHER")
)
"""Minutes by who gave it: a session is of one, so that they add up to the day's therapy."""

WAYS = tuple(
    f"REHABCAST//THERAPY_{name}"
    for name in (
        "GROUP", "SELF", "TELE", "ROBOT", "VIRTUAL_REALITY", "TREADMILL", "STIMULATION",
    )
)  # fmt: skip
"""Minutes by how it was given: a session may be of several and is of some discipline besides, so
that they add up to nothing."""

KINDS = (*DISCIPLINES, *WAYS)

TOLERANCE_MIN = 0.5
"""Minutes by which rounded parts may be more than the whole."""


DOSE_DAYS = 14
"""Last days of a past whose mean dose is the dose of that time: as the hybrid was trained on it."""

REFERENCE_DOSE_MIN, SATURATION_MIN = 60.0, 90.0
"""Of the dose's effect on the pace of recovery, minutes of therapy a day: at which the pace is the
population's own, and with 63 % of the largest effect. A trained effect means something with these
only, so the network and what is computed from a bundle's curves read them here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfTherapy:
    """What a day's minutes come to.

    Parameters
    ----------
    added_up
        The day's therapy where only its disciplines are on record: their sum. None where it is
        stated, or no discipline is known.
    at_odds
        Kinds of more minutes than all therapy that is stated of the day. Neither they nor what is
        stated can be believed.
    """

    added_up: float | None
    at_odds: frozenset[str] = frozenset()


def day_of_therapy(minutes: Mapping[str, float]) -> DayOfTherapy:
    """Say what the minutes of a day by code come to, in whatever form they came.

    A session is of one discipline, so those add up. How therapy was given (in a group, with a
    robot) adds nothing: the same minutes are of some discipline. A total that is stated stands.
    """
    stated = minutes.get(THERAPY)
    if stated is None:
        parts = [minutes[code] for code in DISCIPLINES if code in minutes]
        return DayOfTherapy(added_up=sum(parts) if parts else None)
    most = stated + TOLERANCE_MIN
    wrong = (code for code in KINDS if code in minutes and minutes[code] > most)
    return DayOfTherapy(added_up=None, at_odds=frozenset(wrong))
