"""What a model sees of one subject at one origin, as the reference posterior reads it.

It is taken from the sequence batch that models are given, so the floor can't know more than they
do. Two things come from elsewhere, the day of the week and the day a device was exchanged: a model
can infer them from therapy days and step counts, or be given them.

Letters: B pairs, T days of the past, C channels, D days since onset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NOMINAL_ONSET, ONSET, SUBJECT, TIME
from contracts.errors import ContractError
from contracts.sequences import SequenceBatch
from features.simulate.channels import AIDS, CHANNELS, WALKING_CHANNELS, Channel
from features.simulate.events import DEVICE_CHANGE, THERAPY
from features.simulate.people import AID
from features.simulate.scales import FUGL_MEYER, SCALES, Scale
from features.simulate.scenario import Scenario
from features.simulate.subjects import day_count, is_weekend

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReadings:
    """A channel's values on the transformed scale and their days since onset, (K,)."""

    channel: Channel
    day: NDArray[np.int64]
    scaled: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One subject at one origin.

    Parameters
    ----------
    enrolment, origin
        Days since onset.
    weekend, minutes
        (D,); minutes of therapy are 0 from the day after the origin on.
    scores
        Instrument, days since onset, score.
    readings
        Daily channels.
    worn, walked
        Days since onset with any reading, (K,), and which of them had a bout of walking; no days
        where the batch has no channel of walking.
    exchange
        Day since onset when the device was exchanged, or -1.
    aid
        Index of the walking aid, None where it isn't an input.
    member
        Whether the subject is in the planted group, None where that isn't an input.
    """

    enrolment: int
    origin: int
    weekend: NDArray[np.bool_]
    minutes: Array
    scores: tuple[tuple[Scale, int, float], ...]
    readings: tuple[ChannelReadings, ...]
    worn: NDArray[np.int64]
    walked: NDArray[np.bool_]
    exchange: int
    aid: int | None
    member: bool | None

    @property
    def first_score(self) -> float:
        """Fugl-Meyer score at enrolment, on which the choice of the plan depends."""
        return next(score for scale, _, score in self.scores if scale is FUGL_MEYER)


def records(batch: SequenceBatch, events: pd.DataFrame, scenario: Scenario) -> Iterator[Record]:
    """Yield the record of each pair of a batch.

    Parameters
    ----------
    batch
        From a simulated cohort.
    events
        The cohort's events, for the calendar and the exchanges of devices.
    scenario
        What the cohort was simulated from.

    Raises
    ------
    ContractError
        The batch lacks what the posterior needs.
    """
    _check(batch, scenario)
    dates = events[events[CODE].isin([ONSET, DEVICE_CHANGE])]
    dates = dates.pivot(index=SUBJECT, columns=CODE, values=TIME).reindex(batch.subject_B)
    onset = (dates[ONSET] - NOMINAL_ONSET).dt.days.to_numpy(dtype=np.int64)
    weekend_BD = is_weekend(onset.astype(np.int64), day_count(scenario))
    exchange_B = np.full(len(batch), -1)
    if DEVICE_CHANGE in dates:
        changed = (dates[DEVICE_CHANGE] - dates[ONSET]).dt.days
        exchange_B = changed.fillna(-1).to_numpy(dtype=np.int64)
    for row in range(len(batch)):
        yield _record(batch, row, weekend_BD[row], int(exchange_B[row]), scenario)


def _check(batch: SequenceBatch, scenario: Scenario) -> None:
    for code in (FUGL_MEYER.code, THERAPY):
        if code not in batch.layout.channels_C:
            raise ContractError(
                f"the best possible forecast needs {code} among the task's inputs", "add it there"
            )
    window = batch.values_BTC.shape[1]
    if batch.origin_day_B.max() >= window:
        raise ContractError(
            f"origin {batch.origin_day_B.max()} looks back {window} days and does not see the"
            " enrolment, without which the best possible forecast is not known",
            "use earlier origins, or raise past_days in the task",
        )
    planted = scenario.disparity
    seen = any(covariate.code == AID for covariate in batch.layout.person_S)
    if planted.code == AID and not planted.is_nothing and not seen:
        raise ContractError(
            f"the scenario plants a disparity by {AID}, which is not among the task's inputs",
            "add it there, as the best possible forecast needs it",
        )


def _record(
    batch: SequenceBatch,
    row: int,
    weekend: NDArray[np.bool_],
    exchange: int,
    scenario: Scenario,
) -> Record:
    day_T = np.rint(batch.days_since_onset_BT[row]).astype(np.int64)
    value_TC, seen_TC = batch.values_BTC[row].astype(float), batch.observed_BTC[row]
    column = {code: c for c, code in enumerate(batch.layout.channels_C)}

    def series(code: str) -> tuple[NDArray[np.int64], Array]:
        seen_T = seen_TC[:, column[code]]
        return day_T[seen_T], value_TC[seen_T, column[code]]

    minutes = np.zeros(len(weekend))
    delivered_day, delivered = series(THERAPY)
    minutes[delivered_day] = delivered
    scores = [
        (scale, int(day), float(score))
        for scale in SCALES
        if scale.code in column
        for day, score in zip(*series(scale.code), strict=True)
    ]
    readings = []
    for channel in CHANNELS:
        if channel.code in column:
            day, value = series(channel.code)
            readings.append(
                ChannelReadings(channel=channel, day=day, scaled=channel.to_scale(value))
            )
    worn, walked = _walked(readings)
    labels = _labels(batch, row)
    origin = int(day_T[-1])
    return Record(
        enrolment=origin - int(batch.origin_day_B[row]),
        origin=origin,
        weekend=weekend,
        minutes=minutes,
        scores=tuple(scores),
        readings=tuple(reading for reading in readings if len(reading.day)),
        worn=worn,
        walked=walked,
        exchange=exchange if exchange <= origin else -1,
        aid=AIDS.index(labels[AID]) if AID in labels else None,
        member=(
            labels[scenario.disparity.code] == scenario.disparity.label
            if scenario.disparity.code in labels
            else None
        ),
    )


def _walked(readings: list[ChannelReadings]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    walking = [reading.day for reading in readings if reading.channel.code in WALKING_CHANNELS]
    if not walking:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_)
    worn = np.unique(np.concatenate([reading.day for reading in readings]))
    return worn, np.isin(worn, np.concatenate(walking))


def _labels(batch: SequenceBatch, row: int) -> dict[str, str]:
    """Return the subject's known labels by code; "" for a label that the layout doesn't have."""
    labels: dict[str, str] = {}
    for s, covariate in enumerate(batch.layout.person_S):
        code, label = covariate.code, covariate.label
        if label is not None and batch.person_known_BS[row, s]:
            labels[code] = label if batch.person_BS[row, s] == 1 else labels.get(code, "")
    return labels
