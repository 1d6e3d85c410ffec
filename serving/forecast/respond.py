"""From a record to an answer: pure functions, so that they can be tested without a server.

Letters: H horizons, Q quantile levels, M modalities, T days, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import CohortInvalid, ForecastRefused
from contracts.forecast import LOWER_80, MEDIAN, UPPER_80
from contracts.predictions import QUANTILE_COLUMNS
from contracts.scope import Outside
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import vocabulary
from contracts.vocabulary.instruments import published_recovery_rule
from inference.bundle import Bundle, forecast_batch
from inference.milestones import assessed, reached_today
from inference.patterns import pattern_labels
from inference.record import record_batch
from inference.refusals import unaudited_attribute
from inference.similar import shown_number
from serving.faults import Fault
from serving.forecast.audit_status import (
    ServedModel,
    banner,
    group_coverage,
    held_back,
    limits,
    model_info,
    names_of,
    outside_scope,
    why_outside,
)
from serving.forecast.behind import (
    Behind,
    course_notes,
    doubted,
    how_many,
    milestone_sentences,
    people_behind,
    sentences,
)
from serving.forecast.dates import between_landmarks, date_of, not_used
from serving.forecast.doubts import doubts
from serving.forecast.explain import game_of
from serving.forecast.measured_again.facts import next_measurement
from serving.forecast.measured_again.settled import sentences as settled_in_words
from serving.forecast.measured_again.settled import uncertainty
from serving.forecast.profile import profile_of
from serving.forecast.question import Question
from serving.forecast.reasons import reasons
from serving.forecast.rests_on import rests_on
from serving.forecast.unlike import refuse_unlike
from serving.forecast.whatif.answer import what_if
from serving.possible import refusal_of_record
from serving.schemas import ForecastAnswer, HorizonForecast


def respond(
    question: Question, served: ServedModel, *, now: datetime, withdrawn: Fault | None = None
) -> ForecastAnswer:
    """Answer with a forecast and its reasons, or say why there is none and what to do.

    Parameters
    ----------
    withdrawn
        Why the model may no longer be served; None while it may.
    """
    notes = list(question.notes)
    try:
        refuse_withdrawn(withdrawn)
        if now >= served.audit_status.valid_until:
            raise ForecastRefused(
                "the audit of this model has expired",
                "ask those responsible for the model for a new audit",
            )
        bundle = served.bundle
        batch = record_batch(
            question.enrolment_day, question.observations, bundle.task, bundle.layout,
            question.as_of_day,
        )  # fmt: skip
        # Cards show the first one: that the record may be wrong before what was made of it.
        notes = [*doubts(question, bundle.task, int(batch.origin_day_B[0])), *notes]
        notes += course_notes(bundle, batch)
        groups = {str(name): str(batch.groups_B[name].iloc[0]) for name in batch.groups_B}
        _refuse_outside(served, groups)
        _refuse_unaudited(served, groups)
        behind = people_behind(bundle, batch)
        refuse_unlike(bundle, batch)
        return _forecast(replace(question, notes=notes), served, batch, groups, behind)
    except CohortInvalid as invalid:
        refusal = refusal_of_record(invalid.problems, question.observations)
        return refused(question.subject, served, refusal, notes)
    except ForecastRefused as refusal:
        return refused(question.subject, served, refusal, notes)


def refused(
    subject: str, served: ServedModel, refusal: ForecastRefused, notes: Sequence[str] = ()
) -> ForecastAnswer:
    """Answer that there is no forecast, why, and what to do."""
    return ForecastAnswer(
        status="no forecast",
        subject=subject,
        reason=refusal.reason,
        what_to_do=refusal.what_to_do,
        notes=list(notes),
        **_about(served),
    )


def refuse_withdrawn(withdrawn: Fault | None) -> None:
    """Refuse to forecast with a model that may no longer be served.

    Raises
    ------
    ForecastRefused
        The model was withdrawn.
    """
    if withdrawn is not None:
        raise ForecastRefused(
            f"the model was withdrawn ({withdrawn.reason})", "ask those responsible for the model"
        )


def _refuse_outside(served: ServedModel, groups: dict[str, str]) -> None:
    """Refuse those for whom the audit has not shown that the forecast is fair, and say which."""
    outside = outside_scope(served, groups)
    if not outside:
        return
    raise ForecastRefused(
        "; ".join(why_outside(outside)),
        "assess without the forecast; it can be given once an audit shows that the rule is kept,"
        " of more people like this one or of a model that is better for them",
    )


def _refuse_unaudited(served: ServedModel, groups: dict[str, str]) -> None:
    audited = served.audit_status.coverage
    task = served.bundle.task
    if (attribute := unaudited_attribute(audited, groups, task)) is not None:
        raise ForecastRefused(
            f"nobody in the audit belonged to this subject's group of {attribute!r}, so it is"
            " unknown how wrong the forecast may be",
            "assess without the forecast, or ask for an audit that includes such people",
        )


def _forecast(
    question: Question,
    served: ServedModel,
    batch: SequenceBatch,
    groups: dict[str, str],
    behind: Behind,
) -> ForecastAnswer:
    bundle, origin = served.bundle, int(batch.origin_day_B[0])
    given = np.flatnonzero(behind.given_H).tolist()
    explained = _explained(question, bundle, given)
    shown = pattern_labels(batch, bundle.task)
    beside = held_back(served, groups | shown)
    # A game includes its forecast, so that the past is encoded only once.
    game = game_of(bundle, batch) if question.explain else None
    quantiles_1HQ = forecast_batch(bundle, batch) if game is None else game.quantiles_1HQ
    again = (
        next_measurement(bundle, batch, quantiles_1HQ, explained)
        if question.next_measurement
        else None
    )
    settled = None if again is None else uncertainty(bundle, again, quantiles_1HQ[0], explained)
    return ForecastAnswer(
        status="forecast",
        subject=question.subject,
        origin_day=origin,
        as_of=date_of(question, origin),
        **_last_score(question, bundle, batch),
        horizons=(horizons := _horizons(question, bundle, batch, quantiles_1HQ, behind)),
        similar_people=shown_number(int(behind.similar_H[-1])),
        similar_people_in_words=how_many(int(behind.similar_H[-1])),
        milestones_reached=(reached := _reached(bundle, batch)),
        # In this order, which a page relies on that shows the milestones and the worth itself.
        in_words=[
            *sentences(bundle, batch, behind, explained),
            *milestone_sentences(horizons[given.index(explained)], reached),
            *settled_in_words(again, settled, bundle.task.target),
        ],
        next_measurement=again,
        uncertainty=settled,
        what_if=what_if(question, bundle, batch, quantiles_1HQ, explained, given),
        reasons=None if game is None else reasons(question, game, explained),
        rests_on=rests_on(bundle, batch, question.observations),
        profile=profile_of(bundle, batch, question.observations),
        groups=group_coverage(served, groups),
        notes=[*question.notes, *not_used(question, bundle.task, origin)],
        held_back=[names_of(each) for each in beside],
        **_about(
            served, [*between_landmarks(bundle.task, origin), *doubted(served, shown)], beside
        ),
    )


def _last_score(question: Question, bundle: Bundle, batch: SequenceBatch) -> dict[str, Any]:
    """Return the last score, if one was observed: an assumed one is not this subject's."""
    target = bundle.layout.channels_C.index(bundle.task.target.code)
    scored_T = np.flatnonzero(batch.observed_BTC[0, :, target])
    if not len(scored_T):
        return {}
    back = batch.observed_BTC.shape[1] - 1 - int(scored_T[-1])
    day = int(batch.origin_day_B[0]) - back
    return {
        "last_score": float(batch.last_score_B[0]),
        "last_score_day": day,
        "last_score_date": date_of(question, day),
    }


def _reached(bundle: Bundle, batch: SequenceBatch) -> list[str]:
    """Return the milestones that are reached already; an assumed score reaches none."""
    if not assessed(batch, bundle.task)[0]:
        return []
    return list(reached_today(float(batch.last_score_B[0]), bundle.task))


def _explained(question: Question, bundle: Bundle, ahead: list[int]) -> int:
    primary = bundle.task.primary_horizon_weeks
    weeks = primary if question.weeks is None else question.weeks
    chosen = [h for h in ahead if bundle.task.horizons[h].weeks == weeks]
    if not chosen and question.weeks is None:
        # Late in the course the primary horizon is past, so the next one is explained.
        chosen = ahead
    if not chosen:
        offered = ", ".join(str(bundle.task.horizons[h].weeks) for h in ahead)
        raise ForecastRefused(
            f"week {weeks} is not a horizon ahead of the forecast",
            f"set explain_horizon_weeks to one of: {offered}",
        )
    return chosen[0]


def _horizons(
    question: Question,
    bundle: Bundle,
    batch: SequenceBatch,
    quantiles_1HQ: NDArray[np.float64],
    behind: Behind,
) -> list[HorizonForecast]:
    chance = bundle.calibration.chances(quantiles_1HQ, batch, bundle.task)
    last = float(batch.last_score_B[0])
    rule = published_recovery_rule(bundle.task.target.code)
    return [
        HorizonForecast(
            weeks=bundle.task.horizons[h].weeks,
            day_after_enrolment=bundle.task.horizons[h].day,
            calendar_date=date_of(question, bundle.task.horizons[h].day),
            median=float(quantiles_1HQ[0, h, MEDIAN]),
            low_80=float(quantiles_1HQ[0, h, LOWER_80]),
            high_80=float(quantiles_1HQ[0, h, UPPER_80]),
            quantiles=dict(zip(QUANTILE_COLUMNS, quantiles_1HQ[0, h].tolist(), strict=True)),
            milestones={name: float(chance_1H[0, h]) for name, chance_1H in chance.items()},
            similar_people=shown_number(int(behind.similar_H[h])),
            similar_people_in_words=how_many(int(behind.similar_H[h])),
            last_observation=last,
            proportional_recovery=(
                None if rule is None else last + rule.share * (bundle.task.target.best - last)
            ),
        )
        for h in np.flatnonzero(behind.given_H)
    ]


def _instrument(task: Task) -> str:
    name = vocabulary()[task.target.code].name
    return name if task.target.better == "higher" else f"{name}, lower is better"


def _about(
    served: ServedModel, own_limits: Sequence[str] = (), beside: Sequence[Outside] = ()
) -> dict[str, Any]:
    task = served.bundle.task
    return {
        "instrument": _instrument(task),
        "instrument_code": task.target.code,
        "scale": (task.target.low, task.target.high),
        "model": model_info(served),
        "banner": banner(served, beside),
        "limits": [*own_limits, *limits(served)],
    }
