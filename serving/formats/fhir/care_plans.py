"""FHIR R4 in: CarePlans become the plans of therapy that are asked about.

Nothing is guessed. What a plan must say, so that it has one meaning only: of each activity its kind
of therapy, coded as sessions are; how many sessions there are in how many days or weeks, and how
long one is; and from when to when, in whole days, until one goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

from fhir.resources.R4B.careplan import CarePlan

from contracts.errors import ForecastRefused
from contracts.therapy import DISCIPLINES
from features.sources.records.fhir import UNDERSTOOD, invalid_as
from features.sources.records.fhir_documents import Entry, contents_of
from features.sources.records.fhir_references import Patients
from features.sources.records.fhir_statements import LeftOut
from features.sources.records.fhir_therapy import kinds_coded
from features.sources.records.json_shapes import mapping, mappings
from inference.twin.plans import KIND_OF
from serving.formats.fhir.limits import MAX_ENTRIES, refuse_large_plans
from serving.formats.fhir.timing import WHEN, Scheduled, scheduled, whole_day
from serving.whatif import LONGEST_NAME, MAX_PARTS, MAX_PLANS, PlanAsked, PlanPart

NAMES = {code: name for name, code in KIND_OF.items()}
"""Kinds of therapy as plans name them, by the vocabulary's code."""

HOLDS = {"draft", "active"}
"""FHIR R4, request-status: of plans that somebody may follow."""
AHEAD = {"not-started", "scheduled", "in-progress"}
"""FHIR R4, care-plan-activity-status: of activities that are still to come."""
OTHER_AMOUNTS = ("quantity", "dailyAmount", "scheduledPeriod", "scheduledString")
"""Elements of an activity that say an amount or a time otherwise."""

GO_ON = "let one activity go on (boundsPeriod without an end, or no bounds); duration 0 is a pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Sessions of one kind of therapy.

    Parameters
    ----------
    kinds
        What its minutes count for, as plans name kinds: always all therapy.
    when
        How many hours a week, and from when to when.
    codings
        As what it is coded.
    """

    kinds: tuple[str, ...]
    when: Scheduled
    codings: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePlanAsked:
    """A CarePlan that is asked about.

    Parameters
    ----------
    plan
        The same as the JSON route takes it.
    start
        The day on which it begins.
    activities
        What it was read from.
    record_id
        What identifies it; empty where nothing does.
    """

    plan: PlanAsked
    start: date
    activities: tuple[Activity, ...]
    record_id: str


def care_plans_of(bundle: dict[str, Any], day: date) -> tuple[CarePlanAsked, ...]:
    """Read the CarePlans of a Bundle whose record was read.

    Parameters
    ----------
    day
        The day of the forecast: plans are asked about from then on.

    Raises
    ------
    ForecastRefused
        There is none, or one does not say what it must: where in it, and what to write.
    """
    entries = contents_of([("*", bundle)], "request", most=MAX_ENTRIES).entries
    found = [entry for entry in entries if entry.kind == "CarePlan" and not entry.deleted]
    if not 1 <= len(found) <= MAX_PLANS:
        raise ForecastRefused(
            f"the Bundle holds {len(found)} CarePlans",
            f"send 1 to {MAX_PLANS} that are asked about",
        )
    refuse_large_plans([entry.resource for entry in found])
    patients, plans = Patients(entries), list[CarePlanAsked]()
    for entry in found:
        plan = _care_plan(entry, patients, day)
        if plan.plan.name in {other.plan.name for other in plans}:
            raise _refused(
                f"{entry.place}, CarePlan.title", "another CarePlan has the same title",
                "name each plan differently, and send one version of it",
            )  # fmt: skip
        plans.append(plan)
    return tuple(plans)


def _care_plan(entry: Entry, patients: Patients, day: date) -> CarePlanAsked:
    resource, at = entry.resource, f"{entry.place}, CarePlan"
    if invalid := invalid_as(CarePlan, resource):
        raise _refused(at, invalid, "correct the CarePlan")
    if isinstance(subject := patients.subject_of(entry), LeftOut):
        raise _refused(f"{at}.subject", subject.found, "give it a reference to its Patient")
    _require_understood(resource, at)
    if resource["status"] not in HOLDS:
        raise _refused(
            f"{at}.status", "this plan holds no longer, or not now",
            f"ask about plans with status {' or '.join(sorted(HOLDS))}; leave the others out",
        )  # fmt: skip
    name = resource.get("title", "").strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise _refused(
            f"{at}.title", "there is no title, or a long one",
            f"give it a title of 1 to {LONGEST_NAME} characters: the answer names the plan by it",
        )  # fmt: skip
    start = _start(mapping(resource.get("period")), at)
    activities = tuple(
        _activity(activity, f"{at}.activity[{n}]", start)
        for n, activity in enumerate(mappings(resource.get("activity")))
    )
    parts = _parts(activities, day, f"{at}.activity")
    return CarePlanAsked(
        plan=PlanAsked(name=name, parts=parts), start=start, activities=activities,
        record_id=entry.record_id,
    )  # fmt: skip


def _start(period: dict[str, Any], at: str) -> date:
    if "end" in period:
        raise _refused(
            f"{at}.period.end", "a plan that ends does not say what follows",
            f"leave out the end, say of each activity from when to when it is, and {GO_ON}",
        )  # fmt: skip
    return whole_day(period.get("start"), f"{at}.period.start")


def _activity(activity: dict[str, Any], at: str, start: date) -> Activity:
    _require_understood(activity, at)
    if "detail" not in activity or "reference" in activity:
        raise _refused(at, "its details are not in the CarePlan", "give them as activity.detail")
    detail, at = mapping(activity["detail"]), f"{at}.detail"
    _require_understood(detail, at)
    codes = kinds_coded(detail.get("code"))
    if not codes:
        raise _refused(
            f"{at}.code", "this is not a coded therapy",
            "code it as sessions of therapy are (docs/importing.md), or leave the activity out",
        )  # fmt: skip
    if sum(code in DISCIPLINES for code in codes) > 1:
        raise _refused(
            f"{at}.code", "a session is of one discipline",
            "give each discipline an activity of its own",
        )  # fmt: skip
    if detail["status"] not in AHEAD or detail.get("doNotPerform"):
        raise _refused(
            at, "this activity is not to be done",
            f"leave it out, or give it a status of {', '.join(sorted(AHEAD))}",
        )  # fmt: skip
    if other := [name for name in OTHER_AMOUNTS if name in detail]:
        raise _refused(f"{at}.{other[0]}", "it is not known what this is of therapy", WHEN)
    return Activity(
        kinds=tuple(NAMES[code] for code in codes),
        when=scheduled(detail.get("scheduledTiming"), f"{at}.scheduledTiming", start),
        codings=mappings(mapping(detail["code"]).get("coding")),
    )


def _parts(activities: Sequence[Activity], day: date, at: str) -> list[PlanPart]:
    """Return the parts of a plan from the forecast's day on, hours of activities added up."""
    starts = {activity.when.start for activity in activities}
    ends = {activity.when.after for activity in activities if activity.when.after is not None}
    edges = sorted({day, *(edge for edge in starts | ends if edge > day)})
    if len(edges) > MAX_PARTS:
        raise _refused(at, f"the plan changes more than {MAX_PARTS - 1} times", "ask about less")
    parts = [_part(activities, first, after, at) for first, after in pairwise(edges)]
    return [*parts, _part(activities, edges[-1], None, at)]


def _part(activities: Sequence[Activity], first: date, after: date | None, at: str) -> PlanPart:
    hours: dict[str, Fraction] = {}
    for activity in activities:
        if activity.when.holds_on(first):
            for kind in activity.kinds:
                hours[kind] = hours.get(kind, Fraction(0)) + activity.when.hours_a_week
    if not hours and after is None:
        raise _refused(at, f"the plan does not say what is done from {first} on", GO_ON)
    if not hours:
        until = after - timedelta(days=1) if after is not None else first
        raise _refused(
            at, f"the plan does not say what is done from {first} to {until}",
            "let an activity cover these days; duration 0 is a pause",
        )  # fmt: skip
    return PlanPart(
        hours_a_week={kind: float(value) for kind, value in hours.items()},
        days=None if after is None else (after - first).days,
    )


def _require_understood(element: dict[str, Any], at: str) -> None:
    if unknown := [name for name in UNDERSTOOD if element.get(name)]:
        raise _refused(
            f"{at}.{unknown[0]}", "it changes the meaning of the plan",
            "send the plan without it, in elements of FHIR itself",
        )  # fmt: skip


def _refused(at: str, found: str, what_to_do: str) -> ForecastRefused:
    return ForecastRefused(f"{at}: {found}", what_to_do)
