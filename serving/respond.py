"""From a request to an answer: pure, so that everything but the wiring is tested without a server.

Letters: H horizons, Q quantile levels, M modalities, E embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import (
    CODE,
    COLUMNS,
    ENROLMENT,
    NOMINAL_ONSET,
    NUMBER,
    ONSET,
    SUBJECT,
    TEXT,
    TIME,
)
from contracts.errors import CohortInvalid, ForecastRefused
from contracts.forecast import LOWER_80, MEDIAN, UPPER_80
from contracts.predictions import QUANTILE_COLUMNS
from contracts.sequences import SequenceBatch
from contracts.verdict import Outcome
from contracts.vocabulary import Kind, vocabulary
from features.checks import check_events
from features.sequences import forecast_sequence, present_modalities
from serving.bundle import Bundle, calibrated, embed, join
from serving.explain import explain
from serving.request import (
    Contribution,
    ForecastAnswer,
    ForecastRequest,
    HorizonForecast,
    ModelInfo,
    Override,
    Reasons,
    RestsOn,
)
from training.milestones import chances

LIMITS = (
    "Decision support for a clinician who knows the patient: no diagnosis, no treatment advice.",
    "Not a medical device as shipped.",
    "It must not be used to withhold therapy.",
    "An association seen in earlier patients, not an effect of anything done.",
)
SIMULATED_LIMIT = "SIMULATED training data: the people behind this model do not exist."


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """On what the model stands: version and audit; and who overrode it for what use, if anybody."""

    model_version: str
    report_digest: str
    outcome: Outcome
    valid_until: datetime
    approver: str | None
    reason: str | None
    restricted_use: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The champion as loaded."""

    bundle: Bundle
    standing: Standing


def respond(
    request: ForecastRequest, served: Served, *, now: datetime, withdrawn: str = ""
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
        events = request_events(request)
        batch = forecast_sequence(events, served.bundle.task, served.bundle.layout)
        return _forecast(request, served, batch, events)
    except (ForecastRefused, CohortInvalid) as refusal:
        told = (
            "; ".join(f"{problem.field}: {problem.message}" for problem in refusal.problems[:5])
            if isinstance(refusal, CohortInvalid)
            else str(refusal)
        )
        reason, _, what_to_do = told.rpartition(": ")
        return ForecastAnswer(
            status="no forecast",
            subject=request.subject,
            reason=reason,
            what_to_do=what_to_do,
            **_about(served),
        )


def request_events(request: ForecastRequest) -> pd.DataFrame:
    """Lay a request out as a cohort's events, on the nominal clock.

    Raises
    ------
    CohortInvalid
        An observation breaks the cohort contract: unknown code, impossible value, twice a day.
    """
    days = [0, request.enrolment_day, *(o.day_since_onset for o in request.observations)]
    events = pd.DataFrame(
        {
            SUBJECT: 1,
            TIME: NOMINAL_ONSET + pd.to_timedelta(pd.Series(days, dtype="Float64"), unit="D"),
            CODE: [ONSET, ENROLMENT, *(o.code for o in request.observations)],
            NUMBER: [np.nan, np.nan, *(o.value for o in request.observations)],
            TEXT: [None, None, *(o.label for o in request.observations)],
        },
        columns=list(COLUMNS),
    ).astype({NUMBER: "float64", TEXT: object})
    if problems := check_events(events, file="request"):
        raise CohortInvalid(problems)
    return events


def _forecast(
    request: ForecastRequest, served: Served, batch: SequenceBatch, events: pd.DataFrame
) -> ForecastAnswer:
    bundle = served.bundle
    weeks = request.explain_horizon_weeks or bundle.task.primary_horizon_weeks
    origin = int(batch.origin_day_B[0])
    ahead = [h for h, horizon in enumerate(bundle.task.horizons) if horizon.day > origin]
    explained = [h for h in ahead if bundle.task.horizons[h].weeks == weeks]
    if not explained:
        offered = ", ".join(str(bundle.task.horizons[h].weeks) for h in ahead)
        raise ForecastRefused(f"week {weeks} is no horizon ahead: explain one of {offered}")
    present_1M = present_modalities(batch, bundle.manifest.modalities)
    embeddings_1ME = embed(bundle, batch)
    raw_1HQ = join(bundle, embeddings_1ME, present_1M)
    quantiles_1HQ = calibrated(bundle, raw_1HQ, batch.groups_B)
    return ForecastAnswer(
        status="forecast",
        subject=request.subject,
        origin_day=origin,
        last_score=_last_score(bundle, batch),
        horizons=_horizons(bundle, batch, quantiles_1HQ, ahead),
        reasons=_reasons(bundle, embeddings_1ME, present_1M, explained[0]),
        rests_on=_rests_on(bundle, batch, events, present_1M),
        **_about(served),
    )


def _last_score(bundle: Bundle, batch: SequenceBatch) -> float | None:
    """Return the last score if one was observed: an assumed one is nobody's."""
    target = bundle.layout.channels_C.index(bundle.task.target.code)
    observed = batch.observed_BTC[0, :, target].any()
    return float(batch.last_score_B[0]) if observed else None


def _horizons(
    bundle: Bundle, batch: SequenceBatch, quantiles_1HQ: NDArray[np.float64], ahead: list[int]
) -> list[HorizonForecast]:
    chance = chances(quantiles_1HQ, batch.last_score_B, bundle.task)
    return [
        HorizonForecast(
            weeks=bundle.task.horizons[h].weeks,
            day_after_enrolment=bundle.task.horizons[h].day,
            median=quantiles_1HQ[0, h, MEDIAN],
            low_80=quantiles_1HQ[0, h, LOWER_80],
            high_80=quantiles_1HQ[0, h, UPPER_80],
            quantiles=dict(zip(QUANTILE_COLUMNS, quantiles_1HQ[0, h].tolist(), strict=True)),
            milestones={name: float(chance_1H[0, h]) for name, chance_1H in chance.items()},
        )
        for h in ahead
    ]


def _reasons(
    bundle: Bundle,
    embeddings_1ME: NDArray[np.float32],
    present_1M: NDArray[np.float32],
    horizon: int,
) -> Reasons:
    explanation = explain(bundle, embeddings_1ME, present_1M, horizon)
    base, value_M = float(explanation.base_values), explanation.values
    forecast = float(join(bundle, embeddings_1ME, present_1M)[0, horizon, MEDIAN])
    contributions = [
        Contribution(modality=name, points=float(points), observed=bool(seen))
        for name, points, seen in zip(
            bundle.manifest.modalities, value_M, present_1M[0], strict=True
        )
    ]
    return Reasons(
        horizon_weeks=bundle.task.horizons[horizon].weeks,
        base=base,
        forecast=forecast,
        contributions=sorted(contributions, key=lambda each: -abs(each.points)),
        additivity_gap=abs(base + float(value_M.sum()) - forecast),
    )


def _rests_on(
    bundle: Bundle, batch: SequenceBatch, events: pd.DataFrame, present_1M: NDArray[np.float32]
) -> RestsOn:
    words = vocabulary()
    is_daily = np.array([words[code].kind is Kind.DAILY for code in batch.layout.channels_C])
    observed_TC = batch.observed_BTC[0]
    learned = {*bundle.layout.channels_C, *(name.split("=")[0] for name in bundle.layout.person_S)}
    unused = set(events[CODE]) - learned - {ONSET, ENROLMENT}
    return RestsOn(
        assessments=int(observed_TC[:, ~is_daily].sum()),
        days_with_wearable=int(observed_TC[:, is_daily].any(axis=1).sum()),
        missing_modalities=[
            name
            for name, seen in zip(bundle.manifest.modalities, present_1M[0], strict=True)
            if not seen
        ],
        ignored_codes=sorted(unused),
    )


def _about(served: Served) -> dict[str, Any]:
    manifest, standing, task = served.bundle.manifest, served.standing, served.bundle.task
    override = (
        Override(
            approver=standing.approver,
            reason=standing.reason,
            until=standing.valid_until.isoformat(timespec="seconds"),
            restricted_use=standing.restricted_use or "not stated",
        )
        if standing.approver is not None and standing.reason is not None
        else None
    )
    return {
        "instrument": vocabulary()[task.target.code].name,
        "scale": (task.target.low, task.target.high),
        "model": ModelInfo(
            model_version=standing.model_version,
            bundle_digest=served.bundle.digest,
            report_digest=standing.report_digest,
            audit_outcome=str(standing.outcome),
            valid_until=standing.valid_until.isoformat(timespec="seconds"),
            simulated=manifest.simulated,
            cohort_name=manifest.cohort_name,
            override=override,
        ),
        "limits": [*([SIMULATED_LIMIT] if manifest.simulated else []), *LIMITS],
    }
