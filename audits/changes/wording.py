"""Changes and criteria in words, for refusals and reports."""

from __future__ import annotations

from audits.changes.outside import NotMet, NotPlanned, NotValidated, Outside
from audits.changes.plan import Criterion, ShownOn, Who
from audits.measure.groups import EVERYONE
from audits.measure.metric_definitions import Unit
from contracts.changes.comparison import CriterionResult, Shown
from contracts.changes.difference import Change, ChangeKind

MOST_FACTS = 3
"""Facts of one change that a sentence names."""

DIGITS = 12
"""Digits of a digest that people are shown."""

FOUND = {
    Shown.MET: "shown to be no worse than that",
    Shown.NOT_MET: "worse than that, or probably so",
    Shown.NOT_SHOWN: "not shown: too few people, or no forecasts of both versions to compare",
}


def outside_in_words(outside: Outside) -> str:
    """Say what is outside of the plan, and why."""
    match outside:
        case NotPlanned(change=change):
            return f"{change_in_words(change)}: the plan does not name it"
        case NotValidated(change=change):
            return f"{change_in_words(change)}: the plan asks for an external validation of it"
        case NotMet(criterion=criterion, result=result):
            asked = criterion_in_words(criterion)
            if result is None:
                return f"{asked}. No comparison was made"
            return f"{asked}. Found for {result_in_words(result)}"


def change_in_words(change: Change) -> str:
    """Name a change, and what is no longer and what is new."""
    parts = []
    if change.kind is not ChangeKind.MORE_DATA and change.kind is not ChangeKind.LESS_DATA:
        # How many people are added may be very few.
        parts = [
            f"{name}: {_listed(facts)}"
            for name, facts in (("was", change.gone), ("now", change.new))
            if facts
        ]
    return f"{change.kind} ({'; '.join(parts)})" if parts else str(change.kind)


def criterion_in_words(criterion: Criterion) -> str:
    """Say what a criterion asks."""
    if criterion.who is Who.EVERYONE:
        who = "everyone"
    elif criterion.attributes is None:
        who = "each audited group"
    else:
        who = f"each group by {', '.join(criterion.attributes)}"
    when = ", at each horizon" if criterion.each_horizon else ""
    if criterion.shown_on is ShownOn.SERVED:
        when = ", beside it in service"
    limit = (
        "no worse" if criterion.worse_by_at_most == 0 else f"worse by at most {_amount(criterion)}"
    )
    return (
        f"{criterion.metric}, {who}{when}: {limit} than the version in service"
        f" ({100 * criterion.confidence:g} % one-sided bound"
        f"{', however often one looks' if criterion.shown_on is ShownOn.SERVED else ''})"
    )


def result_in_words(result: CriterionResult) -> str:
    """Say of whom, and what was found."""
    day = "" if result.horizon_day is None else f", day {result.horizon_day}"
    who = EVERYONE if result.axis == EVERYONE else f"{result.axis}: {result.group}"
    measure = f", {result.milestone}" if result.milestone else ""
    return f"{who}{day}{measure}: {FOUND[result.result]}"


def _amount(criterion: Criterion) -> str:
    unit, limit = criterion.metric.definition.unit, criterion.worse_by_at_most
    if unit is Unit.SHARE:
        return f"{100 * limit:g} percentage points"
    return f"{limit:g} points" if unit is Unit.POINTS else f"{limit:g}"


def _listed(facts: tuple[str, ...]) -> str:
    named = ", ".join(_short(fact) for fact in facts[:MOST_FACTS])
    rest = len(facts) - MOST_FACTS
    return f"{named} and {rest} more" if rest > 0 else named


def _short(fact: str) -> str:
    """Return a fact with its digests cut to what people compare."""
    return " ".join(
        word[:DIGITS] if len(word) == 64 and all(c in "0123456789abcdef" for c in word) else word
        for word in fact.split()
    )
