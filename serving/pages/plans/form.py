"""What a clinician types of plans and of the last two weeks, as the service's route reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from contracts.naming.worded import Worded
from inference.twin.plans import ALL, KIND_OF
from serving.http.decoding import RequestInvalid
from serving.pages.forms import to_number, to_whole
from serving.pages.page import Field, Visit
from serving.pages.rendering import later
from serving.whatif import LastWeeks, PlanAsked, PlanPart

NUMBERS = (1, 2, 3)
"""Of the plans that fit on the page."""
DAYS_A_WEEK = 7
LONGEST_WEEKS = 156
MOST_SESSIONS = 50
KINDS = {
    ALL: later("all therapy"),
    "physio": later("physiotherapy"),
    "occupational": later("occupational therapy"),
    "speech": later("speech therapy"),
    "other": later("other therapy"),
    "group": later("in a group"),
    "self": later("by oneself"),
    "tele": later("at a distance"),
    "robot": later("with a robot"),
    "virtual reality": later("with virtual reality"),
    "treadmill": later("on a treadmill"),
    "stimulation": later("with electrical stimulation"),
}
"""What kinds of therapy are called (`inference.twin.plans.KIND_OF`)."""

YES, NO = "yes", "no"
YES_OR_NO = ((YES, later("Yes")), (NO, later("No")))
Danger = Literal["new neurological signs", "fall", "chest pain"]
DANGERS: Sequence[tuple[Danger, str]] = (
    ("new neurological signs", later("New neurological signs in the last two weeks")),
    ("fall", later("A fall in the last two weeks")),
    ("chest pain", later("Chest pain in the last two weeks")),
)
ADHERENCE = (
    later("Week before last: per cent done of what was planned"),
    later("Last week: per cent done of what was planned"),
)


def kinds_read(visit: Visit) -> list[str]:
    """Return the kinds of therapy that models in service read; all of it is always asked for."""
    read = {
        code for snapshot in visit.runtime.champions.current
        for code in snapshot.served.bundle.layout.channels_C
    }  # fmt: skip
    return [kind for kind, code in KIND_OF.items() if kind == ALL or code in read]


def plan_fields(visit: Visit, number: int) -> list[Field]:
    """Return the fields of one plan; one of which nothing is typed is not asked about."""
    say, kinds = visit.say, kinds_read(visit)

    def field(name: str, label: str, help: str = "", longest: int = 10) -> Field:
        return Field(
            name=f"plan-{number}-{name}", label=label, help=help, optional=True, longest=longest,
            kind="text" if name == "name" else "number",
        )  # fmt: skip

    return [
        field("name", say("Plan %(number)s: name", number=number), longest=60),
        *(
            field(f"hours-{kind}", say(
                "Plan %(number)s: hours a week, %(kind)s", number=number, kind=say(KINDS[kind])
            ), later("0 for a pause") if kind == ALL else "")
            for kind in kinds
        ),
        field("weeks", say("Plan %(number)s: for how many weeks", number=number),
              later("Empty: it goes on.")),
        field("after", say("Plan %(number)s: hours a week afterwards", number=number),
              later("Only if it ends.")),
        field("start", say("Plan %(number)s: starts in how many weeks", number=number),
              later("Empty: now.")),
        field("before", say("Plan %(number)s: hours a week until it starts", number=number),
              later("Only if it starts later.")),
    ]  # fmt: skip


def last_weeks_fields(_: Visit) -> list[Field]:
    """Return the fields of how the last two weeks went; what is not known stays empty."""

    def rated(name: str, label: str, help: str = "") -> Field:
        return Field(name=name, label=label, help=help, kind="number", optional=True, longest=300)

    def known(name: str, label: str) -> Field:
        return Field(name=name, label=label, kind="choice", choices=YES_OR_NO, optional=True)

    return [
        *(rated(f"adherence-{week}", label) for week, label in enumerate(ADHERENCE)),
        rated("borg", later("Exertion of each session (Borg, 6 to 20)"),
              later("One number for each session, with spaces between: 12 13 12")),
        rated("pain_worst", later("Worst pain, 0 to 10")),
        rated("pain_rise", later("Largest rise of pain within a session, 0 to 10")),
        known("pain_next_morning", later("Was the pain still up on the next morning?")),
        rated("fatigue_worst", later("Worst fatigue, 0 to 10")),
        *(known(f"danger-{at}", label) for at, (_sign, label) in enumerate(DANGERS)),
    ]  # fmt: skip


def fields(visit: Visit) -> list[Field]:
    """Return all fields of the page's form."""
    of_plans = [field for number in NUMBERS for field in plan_fields(visit, number)]
    return [*of_plans, *last_weeks_fields(visit)]


def plans_typed(visit: Visit) -> list[PlanAsked]:
    """Return the plans that were typed.

    Raises
    ------
    RequestInvalid
        Says which plan lacks what.
    """
    found = [_plan(visit, number) for number in NUMBERS]
    return [plan for plan in found if plan is not None]


def _plan(visit: Visit, number: int) -> PlanAsked | None:
    start_of = f"plan-{number}-"
    typed = {
        name.removeprefix(start_of): value
        for name, value in visit.form.items() if name.startswith(start_of) and value
    }  # fmt: skip
    if not typed:
        return None
    what = Worded("plan %(number)s", number=number)
    hours = {
        kind: to_number(
            typed[f"hours-{kind}"],
            Worded("%(plan)s: the hours a week of %(kind)s", plan=what, kind=Worded(KINDS[kind])),
        )
        for kind in kinds_read(visit)
        if f"hours-{kind}" in typed
    }
    if not hours:
        raise RequestInvalid(
            Worded("%(plan)s has no hours a week", plan=what),
            "write them, 0 for a pause, or empty the whole plan",
        )
    before = _other_part(typed, "start", "before", Worded("%(plan)s: until it starts", plan=what))
    weeks = _weeks(typed, "weeks", what)
    after = _other_part(typed, "weeks", "after", Worded("%(plan)s: afterwards", plan=what))
    parts = [PlanPart(hours_a_week=hours, days=weeks * DAYS_A_WEEK if weeks else None)]
    if before is not None:
        waits = _weeks(typed, "start", what) * DAYS_A_WEEK
        parts.insert(0, PlanPart(hours_a_week={ALL: before}, days=waits))
    if after is not None:
        parts.append(PlanPart(hours_a_week={ALL: after}))
    name = typed.get("name") or visit.say("Plan %(number)s", number=number)
    return PlanAsked(name=name, parts=parts)


def _weeks(typed: dict[str, str], name: str, what: Worded) -> int:
    """Return a number of weeks; 0 where none is typed."""
    weeks = to_whole(typed.get(name, "0"), Worded("%(plan)s: the weeks", plan=what))
    if weeks > LONGEST_WEEKS:
        raise RequestInvalid(
            Worded("%(plan)s: %(weeks)s weeks", plan=what, weeks=weeks),
            Worded("write up to %(most)s", most=LONGEST_WEEKS),
        )
    return weeks


def _other_part(typed: dict[str, str], weeks: str, hours: str, what: Worded) -> float | None:
    """Return the hours a week before or after a plan, which come with its start or its end."""
    has_weeks = _weeks(typed, weeks, what) > 0
    if has_weeks and hours not in typed:
        raise RequestInvalid(
            Worded("%(plan)s it is not known how many hours a week", plan=what), "write them"
        )
    if hours in typed and not has_weeks:
        raise RequestInvalid(
            Worded("%(plan)s there are hours a week, and no weeks", plan=what), "write the weeks"
        )
    return (
        to_number(typed[hours], Worded("%(plan)s, the hours a week", plan=what))
        if has_weeks
        else None
    )


def last_weeks_typed(visit: Visit) -> LastWeeks | None:
    """Return how the last two weeks went; None where nothing is typed of them.

    Raises
    ------
    RequestInvalid
        Says which value cannot be.
    """
    form = visit.form
    if not any(form[field.name] for field in last_weeks_fields(visit)):
        return None

    def rating(name: str, what: str) -> float | None:
        return within(form[name], what, 0, 10) if form[name] else None

    weeks = [form[f"adherence-{week}"] for week in range(len(ADHERENCE))]
    done = [within(text, "what was done of a week", 0, 100) / 100 for text in weeks if text]
    borg = form["borg"].replace(",", " ").split()
    if len(borg) > MOST_SESSIONS:
        raise RequestInvalid(
            Worded("exertion of %(count)s sessions", count=len(borg)),
            Worded("write up to %(most)s", most=MOST_SESSIONS),
        )
    return LastWeeks(
        adherence=done or None,
        borg=[within(text, "the exertion of a session", 6, 20) for text in borg] or None,
        pain_worst=rating("pain_worst", "the worst pain"),
        pain_rise=rating("pain_rise", "the rise of pain"),
        pain_next_morning=_yes(form["pain_next_morning"]),
        fatigue_worst=rating("fatigue_worst", "the worst fatigue"),
        danger_signs=_dangers([_yes(form[f"danger-{at}"]) for at in range(len(DANGERS))]),
    )


def _dangers(said: Sequence[bool | None]) -> list[Danger] | None:
    """Return the signs that are there; None where none is, and not all are known."""
    there = [sign for (sign, _), is_there in zip(DANGERS, said, strict=True) if is_there]
    return None if not there and None in said else there


def _yes(text: str) -> bool | None:
    return None if not text else text == YES


def within(text: str, what: str, low: float, high: float) -> float:
    """Return a number that somebody typed; refuse what is none, or beyond the limits."""
    value = to_number(text, what)
    if not low <= value <= high:
        raise RequestInvalid(
            Worded("%(what)s is %(value)s", what=Worded(what), value=f"{value:g}"),
            Worded("write %(low)s to %(high)s", low=f"{low:g}", high=f"{high:g}"),
        )
    return value
