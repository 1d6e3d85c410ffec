"""A shard of simulated subjects as cohort events: what a hospital would have on record."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from contracts.cohort import ENROLMENT, NOMINAL_ONSET, ONSET, WEAR_TIME
from contracts.vocabulary import vocabulary
from features.cohort.data_file import EVENT_SCHEMA
from features.simulate.channels import CHANNELS, WALKING_CHANNELS
from features.simulate.scales import SCALES
from features.simulate.subjects import Subjects
from features.simulate.therapy import PLANS

DEVICE_CHANGE = "REHABCAST//DEVICE_CHANGE"
THERAPY = "REHABCAST//THERAPY"
TREATMENT = "REHABCAST//TREATMENT"

NOMINAL_DAY = int(NOMINAL_ONSET.timestamp() // 86_400)
MICROSECONDS_A_DAY = 86_400_000_000
UNTIMED = -1


class _Rows(NamedTuple):
    """Events of one code: subject's position, days since onset (`UNTIMED`: none), number, label."""

    code: str
    subject: NDArray[np.int64]
    day: NDArray[np.int64]
    number: NDArray[np.float64] | None
    label: NDArray[np.object_] | None


def shard_events(drawn: Subjects, first_subject: int, count: int) -> pa.Table:
    """Return the events of the first `count` subjects of a shard, numbered from `first_subject`.

    Returns
    -------
    A table in the cohort's schema, by subject, then time with untimed rows first, then code.
    """
    rows = sorted([*_facts(drawn), *_moments(drawn), *_assessments(drawn), *_days(drawn)])
    size = [len(part.subject) for part in rows]
    code = np.repeat(np.arange(len(rows)), size)
    subject = np.concatenate([part.subject for part in rows])
    day = np.concatenate([part.day for part in rows])
    number = np.concatenate(
        [
            np.full(len(part.subject), np.nan)
            if part.number is None
            else _held(part.code, part.number)
            for part in rows
        ]
    )
    label = np.concatenate(
        [
            np.full(len(part.subject), None, dtype=object) if part.label is None else part.label
            for part in rows
        ]
    )
    order = np.lexsort((code, day, subject))
    order = order[subject[order] < count]
    subject, day = subject[order], day[order]
    since_epoch = (NOMINAL_DAY + drawn.onset_day[subject] + day) * MICROSECONDS_A_DAY
    names = pa.array([part.code for part in rows], pa.string())
    return pa.table(
        [
            pa.array(subject + first_subject, pa.int64()),
            pa.array(since_epoch, mask=day == UNTIMED).cast(pa.timestamp("us")),
            pa.DictionaryArray.from_arrays(pa.array(code[order], pa.int32()), names).cast(
                pa.string()
            ),
            pa.array(number[order].astype(np.float32), pa.float32(), from_pandas=True),
            pa.array(label[order], pa.large_string()),
        ],
        schema=EVENT_SCHEMA,
    )


def _held(code: str, number: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers of a code, held between the ends of its plausible range.

    Noise has no end, so among enough people somebody has a value that a cohort cannot hold. The
    nearest that it can hold stands in its place: drawing again would change all values after it,
    and leaving the value out would make a day worn on which nothing was measured.
    """
    entry = vocabulary()[code]
    return np.asarray(np.clip(number, entry.low, entry.high))


def _facts(drawn: Subjects) -> list[_Rows]:
    everyone = np.arange(len(drawn.facts))
    labelled = drawn.facts.assign(**{TREATMENT: np.array(list(PLANS), dtype=object)[drawn.plan]})
    rows = []
    for code, entry in vocabulary().items():
        if code not in labelled:
            continue
        values = labelled[code].to_numpy()
        known = drawn.recorded.get(code, np.ones(len(everyone), dtype=np.bool_))
        number = values[known].astype(np.float64) if entry.is_numeric else None
        label = None if entry.is_numeric else values[known].astype(object)
        subjects = everyone[known]
        rows.append(_Rows(code, subjects, np.full(len(subjects), UNTIMED), number, label))
    return rows


def _moments(drawn: Subjects) -> list[_Rows]:
    everyone = np.arange(len(drawn.facts))
    exchanged = np.flatnonzero(_tracked(drawn)[everyone, np.maximum(drawn.exchange, 0)])
    exchanged = exchanged[drawn.exchange[exchanged] >= 0]
    return [
        _Rows(ONSET, everyone, np.zeros(len(everyone), dtype=np.int64), None, None),
        _Rows(ENROLMENT, everyone, drawn.enrolment, None, None),
        _Rows(DEVICE_CHANGE, exchanged, drawn.exchange[exchanged], None, None),
    ]


def _assessments(drawn: Subjects) -> list[_Rows]:
    subject, visit = np.nonzero(drawn.kept)
    day = drawn.visit_day[subject, visit]
    return [
        _Rows(scale.code, subject, day, drawn.scores[scale.code][subject, visit], None)
        for scale in SCALES
    ]


def _tracked(drawn: Subjects) -> NDArray[np.bool_]:
    return np.asarray(drawn.worn.tracked & drawn.facts["owns"].to_numpy(dtype=np.bool_)[:, None])


def _days(drawn: Subjects) -> list[_Rows]:
    tracked = _tracked(drawn)
    valid = drawn.worn.valid & tracked
    in_care = np.arange(tracked.shape[1]) >= drawn.enrolment[:, None]
    delivered = drawn.minutes[np.arange(len(tracked)), drawn.plan]
    rows = [_on(tracked, WEAR_TIME, drawn.worn.hours), _on(in_care, THERAPY, delivered)]
    for channel in CHANNELS:
        measured = valid & drawn.walked if channel.code in WALKING_CHANNELS else valid
        rows.append(_on(measured, channel.code, drawn.daily[channel.code]))
    return rows


def _on(days: NDArray[np.bool_], code: str, values: NDArray[np.float64]) -> _Rows:
    subject, day = np.nonzero(days)
    return _Rows(code, subject, day, values[subject, day], None)
