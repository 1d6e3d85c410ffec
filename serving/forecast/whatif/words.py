"""What another plan would change, in sentences: each says of what kind its numbers are."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.vocabulary.changes import with_unit
from inference.twin.support import LEAST_PEOPLE, LEAST_SHARE
from serving.forecast.whatif.twin import Unsupported
from serving.whatif import ASSOCIATIONAL, DoseSeen, PlanComparison, WhatIf

OF_WHAT_KIND = (
    "These numbers are a simulation, and no promise for this patient. The effect of dose is from a"
    " prior of trials, not learned from these people; the pace under a dose was fitted to these"
    f" people, whose doses nobody randomised. All of it is {ASSOCIATIONAL}."
)
WITHOUT_KIND = (
    "Trials do not tell kinds of therapy apart: an hour counts the same of whatever kind. A hard"
    " limit, pain or fatigue is not in it."
)

PARTS_ALONE = (
    "Whether enough such people had the whole course of a plan is not known here: its parts were"
    " judged one by one."
)

NONE_CERTAIN = (
    "Of the plans that were found it is not certain that any differs from therapy as now: they are"
    " told by what is expected of each."
)


def sentences(answer: WhatIf, code: str, *, parts_alone: bool) -> list[str]:
    """Return what is to be shown beside the numbers.

    Parameters
    ----------
    code
        Of the instrument, whose unit the differences have.
    parts_alone
        Whether no whole course of a plan was judged, only its parts.
    """
    said = [OF_WHAT_KIND, WITHOUT_KIND]
    if parts_alone:
        said.append(PARTS_ALONE)
    said += [
        _compared(each, code) for each in answer.comparisons if each.other == answer.plans[0].name
    ]
    if answer.found and all(each.difference.direction == "not certain" for each in answer.found):
        said.append(NONE_CERTAIN)
    said += [
        f"Nothing is said of {plan.name!r}: {plan.why_not}." for plan in answer.plans[1:]
        if not plan.supported
    ]  # fmt: skip
    if any(not plan.supported for plan in answer.plans):
        said.append(f"May be asked about: {doses_in_words(answer.doses_seen)}.")
    return said


def _compared(each: PlanComparison, code: str) -> str:
    found = each.difference
    return (
        f"At week {each.weeks} {_direction(each)}: {with_unit(code, f'{found.mean:+z.1f}')} (80 %"
        f" range {found.low_80:+z.1f} to {with_unit(code, f'{found.high_80:+z.1f}')}); that it is"
        f" better by an important difference has a chance of {_percent(found.chance_important)}."
    )


def _direction(each: PlanComparison) -> str:
    """Say better or worse only where that may be claimed."""
    found = each.difference
    if found.direction != "not certain":
        return f"the level under {each.plan!r} is {found.direction} than under {each.other!r}"
    return (
        f"it is not certain that {each.plan!r} and {each.other!r} differ (better"
        f" {_percent(found.chance_better)}, worse {_percent(found.chance_worse)})"
    )


def _percent(chance: float) -> str:
    if chance < 0.01:
        return "less than 1 %"
    return "more than 99 %" if chance > 0.99 else f"{chance:.0%}".replace("%", " %")


def why_not(lacking: Sequence[Unsupported]) -> str:
    """Say which doses of a plan too few people had; empty where none is lacking."""
    said = [
        f"this model does not read how much therapy is of the kind {each.kind!r}"
        for each in lacking if not each.read
    ]  # fmt: skip
    if unseen := [_unseen(each) for each in lacking if each.read]:
        said.append(
            "of the people like this one whom the model learned from fewer than"
            f" {LEAST_PEOPLE}, or less than {100 * LEAST_SHARE:g} %, had {', or '.join(unseen)}"
        )
    return "; ".join(said)


def _unseen(each: Unsupported) -> str:
    over = "" if each.days is None else f" on average over the {each.days // 7} weeks that followed"
    return f"about {each.hours:.3g} hours a week of {each.kind!r}{over}"


def doses_in_words(doses: Sequence[DoseSeen]) -> str:
    """Return the doses that enough people like this one had."""
    if not doses:
        return "no dose, as too few such people are known"
    return ", ".join(map(_dose_in_words, doses))


def _dose_in_words(dose: DoseSeen) -> str:
    over = "" if dose.over_days is None else f" on average over {dose.over_days // 7} weeks"
    if dose.high_hours is None:
        return f"{dose.kind} {dose.low_hours:g} hours a week and more{over}"
    return (
        f"{dose.kind} from {dose.low_hours:g} to less than {dose.high_hours:g} hours a week{over}"
    )
