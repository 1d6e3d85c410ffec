"""A plan of therapy: what is asked about, in the form that a person writes it.

A plan is a sequence of parts, each of so many hours a week by kind, for so many days; the last part
has no days and goes on. A pause is a part of 0 hours, a taper several parts that fall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.errors import ForecastRefused
from contracts.therapy import DISCIPLINES, THERAPY, WAYS
from inference.twin.mechanism import Doses

MOST_HOURS = 60.0
"""Hours a week of which nobody has had more: 90 in 3 weeks (Ward 2019) are 30."""
LONGEST_DAYS = 3 * 365

ALL = "therapy"
KIND_OF = {ALL: THERAPY} | {
    code.rpartition("THERAPY_")[2].lower().replace("_", " "): code for code in (*DISCIPLINES, *WAYS)
}
"""Code of each kind of therapy by the name that a plan gives it."""
OF_DISCIPLINE = frozenset(name for name, code in KIND_OF.items() if code in DISCIPLINES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some days of the same therapy.

    Parameters
    ----------
    hours
        Hours a week by kind (`KIND_OF`). Hours of disciplines add up to all therapy where that is
        not given; the way it is given (in a group, with a robot) adds nothing.
    days
        How long; None: from then on.
    """

    hours: Mapping[str, float]
    days: int | None = None

    @property
    def total(self) -> float:
        """Hours a week in all."""
        if ALL in self.hours:
            return self.hours[ALL]
        return float(sum(self.hours[kind] for kind in self.hours if kind in OF_DISCIPLINE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Parts of therapy, one after the other from the day of the forecast on.

    Parameters
    ----------
    name
        What the asker calls it.
    parts
        In order; the last has no days.
    """

    name: str
    parts: tuple[Part, ...]

    def minutes_a_week(self, days: int) -> float:
        """Return the mean minutes of therapy a week up to a day ahead: its burden."""
        given, left = 0.0, float(days)
        for part in self.parts:
            length = left if part.days is None else min(left, float(part.days))
            given += part.total * 60 * length
            left -= length
        return given / days


def as_now(hours: float) -> Plan:
    """Return the plan in which therapy goes on as it was."""
    return Plan(name="as now", parts=(Part(hours={ALL: hours}),))


def check_plan(plan: Plan) -> None:
    """Make sure that a plan says what it must.

    Raises
    ------
    ForecastRefused
        It does not: which part, and what to write.
    """
    if not plan.parts or plan.parts[-1].days is not None:
        raise _wrong(plan, "does not say what follows its last part", "add a part without days")
    for number, part in enumerate(plan.parts, 1):
        if (fault := _fault(part, last=number == len(plan.parts))) is not None:
            raise _wrong(plan, f"part {number}: {fault[0]}", fault[1])


def _fault(part: Part, *, last: bool) -> tuple[str, str] | None:
    if not last and part.days is None:
        return "only the last part goes on for ever", "say its days"
    if part.days is not None and not 1 <= part.days <= LONGEST_DAYS:
        return f"{part.days} days", f"name 1 to {LONGEST_DAYS} days"
    if unknown := sorted(set(part.hours) - set(KIND_OF)):
        return f"{unknown[0]!r} is no kind of therapy", f"use one of: {', '.join(sorted(KIND_OF))}"
    if not any(kind == ALL or kind in OF_DISCIPLINE for kind in part.hours):
        return (
            "it does not say how much therapy there is in all",
            f"give the hours a week of {ALL!r}, or of each discipline; 0 for a pause",
        )
    total = part.total
    for kind, hours in part.hours.items():
        if not (np.isfinite(hours) and 0 <= hours <= MOST_HOURS):
            return f"{hours:g} hours a week of {kind!r}", f"name 0 to {MOST_HOURS:g} hours"
        if hours > total:
            return (
                f"{hours:g} hours a week of {kind!r} are more than the {total:g} of all therapy",
                "correct the hours",
            )
    disciplines = sum(part.hours[kind] for kind in part.hours if kind in OF_DISCIPLINE)
    if not (np.isfinite(total) and total <= MOST_HOURS):
        return f"{total:g} hours a week in all", f"name 0 to {MOST_HOURS:g} hours"
    if disciplines > total:
        return (
            f"its disciplines add up to {disciplines:g} hours, not {total:g}",
            "correct the hours",
        )
    return None


def _wrong(plan: Plan, what: str, advice: str) -> ForecastRefused:
    return ForecastRefused(f"plan {plan.name!r} {what}", advice)


def doses_of(plans: Sequence[Plan]) -> Doses:
    """Return plans as arrays. Parts of the same hours that follow each other are one part."""
    merged = [_merged(plan) for plan in plans]
    most = max(len(parts) for parts in merged)
    hours_NS, end_NS = np.zeros((len(plans), most)), np.full((len(plans), most), np.inf)
    for n, parts in enumerate(merged):
        for s, (hours, end) in enumerate(parts):
            hours_NS[n, s], end_NS[n, s] = hours, end
    return Doses(hours_NS=hours_NS, end_NS=end_NS)


def _merged(plan: Plan) -> list[tuple[float, float]]:
    """Return hours a week and the day of the end of each part, neighbours alike as one."""
    parts: list[tuple[float, float]] = []
    end = 0.0
    for part in plan.parts:
        end = np.inf if part.days is None else end + part.days
        if parts and parts[-1][0] == part.total:
            parts.pop()
        parts.append((part.total, end))
    return parts
