"""From a record to an answer: pure, so that everything but the wiring is tested without a server.

Letters: H horizons, Q quantile levels, M modalities, T days, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.cohort import ENROLMENT, ONSET, WEAR_TIME
from contracts.errors import CohortInvalid, ForecastRefused
from contracts.forecast import LOWER_80, MEDIAN, UPPER_80
from contracts.observation import Observation
from contracts.predictions import QUANTILE_COLUMNS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import Kind, vocabulary
from features.published_recovery import PROPORTIONAL
from features.sequences import present_modalities
from inference.bundle import Bundle, forecast_batch
from inference.milestones import chances
from inference.record import record_batch
from inference.reference import feature_names, strangeness, strangers
from serving.forecast.audit_status import (
    Served,
    banner,
    group_coverage,
    limits,
    model_info,
    unaudited,
)
from serving.forecast.explain import game_of
from serving.forecast.question import Question
from serving.forecast.reasons import reasons
from serving.schemas import ForecastAnswer, HorizonForecast, RestsOn


def respond(
    question: Question, served: Served, *, now: datetime, withdrawn: str = ""
) -> ForecastAnswer:
    """Answer with a forecast and its reasons, or say why there is none and what to do.

    Parameters
    ----------
    withdrawn
        Why the model may no longer be served; empty while it may.
    """
    try:
        if withdrawn:
            raise ForecastRefused(f"the model was withdrawn ({withdrawn}): ask who runs it")
        if now >= served.standing.valid_until:
            raise ForecastRefused("the model's audit has expired: ask for a new audit")
        bundle = served.bundle
        batch = record_batch(
            question.enrolment_day, question.observations, bundle.task, bundle.layout
        )
        groups = {str(name): str(batch.groups_B[name].iloc[0]) for name in batch.groups_B}
        _refuse_strangers(served, batch, groups)
        return _forecast(question, served, batch, groups)
    except CohortInvalid as invalid:
        told = "; ".join(f"{each.field}: {each.message}" for each in invalid.problems[:5])
        return refused(question.subject, served, told)
    except ForecastRefused as refusal:
        return refused(question.subject, served, str(refusal))


def refused(subject: str, served: Served, told: str) -> ForecastAnswer:
    """Say that there is no forecast; `told` is `why: what to do`."""
    reason, _, what_to_do = told.rpartition(": ")
    return ForecastAnswer(
        status="no forecast",
        subject=subject,
        reason=reason,
        what_to_do=what_to_do,
        **_about(served),
    )


def _refuse_strangers(served: Served, batch: SequenceBatch, groups: dict[str, str]) -> None:
    if (stranger := unaudited(served, groups)) is not None:
        axis, _ = stranger
        raise ForecastRefused(
            f"the audit saw nobody of this subject's group of {axis!r}, so nobody knows how wrong"
            " the forecast may be: assess without it, or ask for an audit with such people"
        )
    reference = served.bundle.reference
    if strangers(reference, batch)[0]:
        _, (oddest,) = strangeness(reference, batch)
        code = feature_names(served.bundle.layout)[oddest]
        name = vocabulary()[code].name if code in vocabulary() else code
        raise ForecastRefused(
            f"the record is unlike those the model learned from, most of all in {name!r}:"
            " check units and dates, else judge without the forecast"
        )


def _forecast(
    question: Question, served: Served, batch: SequenceBatch, groups: dict[str, str]
) -> ForecastAnswer:
    bundle = served.bundle
    origin = int(batch.origin_day_B[0])
    ahead = [h for h, horizon in enumerate(bundle.task.horizons) if horizon.day > origin]
    explained = _explained(question, bundle, ahead)
    # A game holds its forecast: with reasons asked for, the past is encoded once.
    game = game_of(bundle, batch) if question.explain else None
    quantiles_1HQ = forecast_batch(bundle, batch) if game is None else game.quantiles_1HQ
    told = None if game is None else reasons(question, game, explained)
    return ForecastAnswer(
        status="forecast",
        subject=question.subject,
        origin_day=origin,
        last_score=_last_score(bundle, batch),
        horizons=_horizons(bundle, batch, quantiles_1HQ, ahead),
        reasons=told,
        rests_on=_rests_on(bundle, batch, question.observations),
        groups=group_coverage(served, groups),
        **_about(served, _between_landmarks(bundle.task, origin)),
    )


def _between_landmarks(task: Task, origin: int) -> list[str]:
    if origin in task.origins_days:
        return []
    judged = ", ".join(map(str, task.origins_days))
    return [
        f"The audit judged forecasts made on day {judged} after enrolment; this one is made on"
        f" day {origin}."
    ]


def _last_score(bundle: Bundle, batch: SequenceBatch) -> float | None:
    """Return the last score if one was observed: an assumed one is nobody's."""
    target = bundle.layout.channels_C.index(bundle.task.target.code)
    observed = batch.observed_BTC[0, :, target].any()
    return float(batch.last_score_B[0]) if observed else None


def _explained(question: Question, bundle: Bundle, ahead: list[int]) -> int:
    primary = bundle.task.primary_horizon_weeks
    weeks = primary if question.weeks is None else question.weeks
    chosen = [h for h in ahead if bundle.task.horizons[h].weeks == weeks]
    if not chosen and question.weeks is None:
        # Late in the course the primary horizon is past: the next one is what is asked about.
        chosen = ahead
    if not chosen:
        offered = ", ".join(str(bundle.task.horizons[h].weeks) for h in ahead)
        raise ForecastRefused(f"week {weeks} is no horizon ahead: explain one of {offered}")
    return chosen[0]


def _horizons(
    bundle: Bundle, batch: SequenceBatch, quantiles_1HQ: NDArray[np.float64], ahead: list[int]
) -> list[HorizonForecast]:
    chance = chances(quantiles_1HQ, batch.last_score_B, bundle.task)
    last = float(batch.last_score_B[0])
    return [
        HorizonForecast(
            weeks=bundle.task.horizons[h].weeks,
            day_after_enrolment=bundle.task.horizons[h].day,
            median=float(quantiles_1HQ[0, h, MEDIAN]),
            low_80=float(quantiles_1HQ[0, h, LOWER_80]),
            high_80=float(quantiles_1HQ[0, h, UPPER_80]),
            quantiles=dict(zip(QUANTILE_COLUMNS, quantiles_1HQ[0, h].tolist(), strict=True)),
            milestones={name: float(chance_1H[0, h]) for name, chance_1H in chance.items()},
            last_observation=last,
            proportional_recovery=last + PROPORTIONAL * (bundle.task.target.best - last),
        )
        for h in ahead
    ]


def _rests_on(bundle: Bundle, batch: SequenceBatch, observations: Sequence[Observation]) -> RestsOn:
    words, layout = vocabulary(), bundle.layout
    is_daily = np.array([words[code].kind is Kind.DAILY for code in layout.channels_C])
    observed_TC = batch.observed_BTC[0]
    learned = {*layout.channels_C, *(covariate.code for covariate in layout.person_S)}
    unused = {each.code for each in observations} - learned - {ONSET, ENROLMENT}
    present_M = present_modalities(batch, bundle.manifest.modalities)[0]
    return RestsOn(
        assessments=int(observed_TC[:, ~is_daily].sum()),
        days_with_wearable=int(observed_TC[:, is_daily].any(axis=1).sum()),
        median_wear_hours=_wear_hours(batch),
        missing_modalities=[
            name
            for name, seen in zip(bundle.manifest.modalities, present_M, strict=True)
            if not seen
        ],
        missing_channels=[
            words[code].name
            for code, seen in zip(layout.channels_C, observed_TC.any(axis=0), strict=True)
            if not seen
        ],
        ignored_codes=sorted(unused),
    )


def _wear_hours(batch: SequenceBatch) -> float | None:
    if WEAR_TIME not in batch.layout.channels_C:
        return None
    column = batch.layout.channels_C.index(WEAR_TIME)
    seen_T = batch.observed_BTC[0, :, column]
    return float(np.median(batch.values_BTC[0, seen_T, column])) if seen_T.any() else None


def _instrument(task: Task) -> str:
    name = vocabulary()[task.target.code].name
    return name if task.target.better == "higher" else f"{name}, lower is better"


def _about(served: Served, own_limits: Sequence[str] = ()) -> dict[str, Any]:
    task = served.bundle.task
    return {
        "instrument": _instrument(task),
        "scale": (task.target.low, task.target.high),
        "model": model_info(served),
        "banner": banner(served),
        "limits": [*own_limits, *limits(served)],
    }
