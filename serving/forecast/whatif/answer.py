"""The answer to what other plans of therapy would change: facts first, words last.

Letters: N plans, H days ahead, I draws, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from numpy.typing import NDArray

from contracts.errors import ForecastRefused
from contracts.forecast import LOWER_80, MEDIAN, UPPER_80
from contracts.predictions import QUANTILE_COLUMNS
from contracts.sequences import SequenceBatch
from inference.bundle import Bundle
from inference.milestones import needed_share, reached_today
from inference.twin.compare import Array, course, difference, points, reaching
from inference.twin.mechanism import DAYS_A_WEEK
from inference.twin.plans import Part, Plan, check_plan, doses_of
from inference.twin.sensitivity import e_value, hidden_shift
from serving.forecast.question import Question
from serving.forecast.whatif.facts import doses_seen, level_difference, prior_slope
from serving.forecast.whatif.next_week import next_week
from serving.forecast.whatif.search import found_plans
from serving.forecast.whatif.twin import Twin, twin_of
from serving.forecast.whatif.words import sentences, why_not
from serving.whatif import (
    HiddenShift,
    PlanAnswer,
    PlanAsked,
    PlanComparison,
    PlanHorizon,
    TimeToMilestone,
    WhatIf,
)

STRENGTHS = (1.25, 1.5, 2.0, 3.0)
"""Of the hidden confounder that the curve is drawn for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Plans of one patient and what comes of them, the plan that therapy goes on first.

    Parameters
    ----------
    twin, plans
        The patient, and the plans of which something may be said.
    at_H
        Index along the days ahead of each horizon that is forecast.
    given
        Their indices among the task's horizons.
    levels_NHI, scores_NHI
        Level and score under each plan, share of the scale.
    """

    twin: Twin
    plans: tuple[Plan, ...]
    at_H: NDArray[np.intp]
    given: list[int]
    levels_NHI: Array
    scores_NHI: Array


def what_if(
    question: Question,
    bundle: Bundle,
    batch: SequenceBatch,
    quantiles_1HQ: NDArray[np.float64],
    explained: int,
    given: list[int],
) -> WhatIf | UnsetType:
    """Say what other plans would change, or why nothing is said; nothing where nobody asks.

    Parameters
    ----------
    quantiles_1HQ
        The forecast.
    explained, given
        Horizon of the comparisons, and all that are forecast, as indices of the task's horizons.
    """
    if not question.asks_what_if:
        return UNSET
    then = next_week(question.last_weeks, bundle, batch)
    if not question.plans and question.search is None:
        return WhatIf(status="answer", next_week=then)
    try:
        plans = [_plan(each) for each in question.plans]
        _check(plans)
        found = _answer(question, plans, bundle, batch, quantiles_1HQ, explained, given)
        return replace(found, next_week=then)
    except ForecastRefused as refusal:
        return WhatIf(
            status="no answer",
            reason=refusal.reason,
            what_to_do=refusal.what_to_do,
            next_week=then,
        )


def _plan(asked: PlanAsked) -> Plan:
    parts = (Part(hours=part.hours_a_week, days=part.days) for part in asked.parts)
    return Plan(name=asked.name, parts=tuple(parts))


def _check(plans: Sequence[Plan]) -> None:
    for plan in plans:
        check_plan(plan)
    names = ["as now", *(plan.name for plan in plans)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ForecastRefused(
            f"two plans are called {twice[0]!r}", "name each plan differently, and none 'as now'"
        )


def _answer(
    question: Question,
    plans: Sequence[Plan],
    bundle: Bundle,
    batch: SequenceBatch,
    quantiles_1HQ: NDArray[np.float64],
    explained: int,
    given: list[int],
) -> WhatIf:
    task, origin = bundle.task, int(batch.origin_day_B[0])
    ahead_H = np.array([task.horizons[h].day - origin for h in given], dtype=np.float64)
    weekly = np.arange(DAYS_A_WEEK, ahead_H[-1], DAYS_A_WEEK)
    days_H = np.union1d(weekly, ahead_H)
    twin = twin_of(bundle, batch, days_H)
    _require_support(twin)
    all_plans = [twin.now, *plans]
    allowed = tuple(plan for plan in all_plans if not twin.unsupported(plan))
    levels_NHI = twin.person.levels(doses_of(allowed))
    asked = _Asked(
        twin=twin, plans=allowed, at_H=np.searchsorted(days_H, ahead_H), given=given,
        levels_NHI=levels_NHI, scores_NHI=twin.person.scores(levels_NHI),
    )  # fmt: skip
    answers = _answers(asked, all_plans, bundle, batch, quantiles_1HQ)
    comparisons = _comparisons(asked, bundle, given.index(explained))
    found = found_plans(question.search, twin, task.target, float(ahead_H[given.index(explained)]))
    weeks = task.horizons[explained].weeks
    answer = WhatIf(
        status="answer",
        weeks=weeks,
        hours_a_week_now=twin.person.hours,
        important_difference=task.target.minimal_important_difference,
        plans=answers,
        comparisons=comparisons,
        found=found,
        doses_seen=doses_seen(twin),
        prior=prior_slope(twin, task.target),
    )
    return replace(
        answer, in_words=sentences(answer, task.target.code, parts_alone=not twin.courses)
    )


def _require_support(twin: Twin) -> None:
    """Refuse where too few people alike had the therapy that this patient has now.

    Raises
    ------
    ForecastRefused
        Every difference is to that therapy, of which nothing is known of such people.
    """
    if lacking := twin.unsupported(twin.now):
        raise ForecastRefused(
            f"{why_not(lacking)}, which is the therapy of the last two weeks: every plan is"
            " compared with it",
            "decide without it; the forecast itself stands",
        )


def _answers(
    asked: _Asked,
    plans: Sequence[Plan],
    bundle: Bundle,
    batch: SequenceBatch,
    quantiles_1HQ: NDArray[np.float64],
) -> list[PlanAnswer]:
    last = int(asked.twin.person.days_H[-1])
    return [
        PlanAnswer(
            name=plan.name,
            supported=plan in asked.plans,
            why_not=why_not(asked.twin.unsupported(plan)),
            minutes_a_week=plan.minutes_a_week(last),
            horizons=_horizons(asked, plan, bundle, batch, quantiles_1HQ),
            times=_times(asked, plan, bundle, batch),
        )
        for plan in plans
    ]


def _horizons(
    asked: _Asked,
    plan: Plan,
    bundle: Bundle,
    batch: SequenceBatch,
    quantiles_1HQ: NDArray[np.float64],
) -> list[PlanHorizon]:
    if plan not in asked.plans:
        return []
    n, task = asked.plans.index(plan), bundle.task
    quantiles_1HQ = quantiles_1HQ.copy()
    at_H, given, levels_NHI = asked.at_H, asked.given, asked.levels_NHI
    quantiles_1HQ[0, given] = course(
        quantiles_1HQ[0, given], asked.scores_NHI[n, at_H], asked.scores_NHI[0, at_H], task.target
    )
    chance = bundle.calibration.chances(quantiles_1HQ, batch, task)
    return [
        PlanHorizon(
            weeks=task.horizons[h].weeks,
            median=float(quantiles_1HQ[0, h, MEDIAN]),
            low_80=float(quantiles_1HQ[0, h, LOWER_80]),
            high_80=float(quantiles_1HQ[0, h, UPPER_80]),
            quantiles=dict(zip(QUANTILE_COLUMNS, quantiles_1HQ[0, h].tolist(), strict=True)),
            milestones={name: float(chance_1H[0, h]) for name, chance_1H in chance.items()},
            difference=level_difference(levels_NHI[n, at], levels_NHI[0, at], task.target),
        )
        for h, at in zip(given, at_H, strict=True)
    ]


def _times(
    asked: _Asked, plan: Plan, bundle: Bundle, batch: SequenceBatch
) -> list[TimeToMilestone]:
    if plan not in asked.plans:
        return []
    n, task, last = asked.plans.index(plan), bundle.task, float(batch.last_score_B[0])
    reached = reached_today(last, task)
    times = []
    for milestone in task.milestones:
        if milestone.name in reached:
            continue
        needed = needed_share(milestone, last, task.target)
        found = reaching(asked.levels_NHI[n], needed, asked.twin.person.days_H)
        times.append(
            TimeToMilestone(
                milestone=milestone.name, share=found.share, low_80=found.low_80,
                median=found.median, high_80=found.high_80,
            )
        )  # fmt: skip
    return times


def _comparisons(asked: _Asked, bundle: Bundle, at: int) -> list[PlanComparison]:
    """Compare every two plans at one horizon, the later one against the earlier."""
    target, h = bundle.task.target, asked.at_H[at]
    spread = float(points(asked.scores_NHI[0, h], target).std())
    pace_NI = asked.twin.person.by_pace(doses_of(asked.plans))[:, h]
    compared = []
    for n, plan in enumerate(asked.plans):
        for m, other in enumerate(asked.plans[:n]):
            one_I, other_I = asked.levels_NHI[n, h], asked.levels_NHI[m, h]
            found = difference(one_I, other_I, target)
            strength = e_value(found.mean, found.standard_error, spread)
            compared.append(
                PlanComparison(
                    plan=plan.name,
                    other=other.name,
                    weeks=bundle.task.horizons[asked.given[at]].weeks,
                    difference=level_difference(one_I, other_I, target),
                    by_pace=difference(pace_NI[n], pace_NI[m], target).mean,
                    e_value=strength.estimate,
                    e_value_limit=strength.limit,
                    hidden=_hidden(spread),
                )
            )
    return compared


def _hidden(spread: float) -> list[HiddenShift]:
    shifts = hidden_shift(np.array(STRENGTHS), spread).tolist()
    return [
        HiddenShift(strength=strength, points=moved)
        for strength, moved in zip(STRENGTHS, shifts, strict=True)
    ]
