"""Which record a request is about, as a question that a model can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

from contracts.errors import ForecastRefused, ServiceUnavailable
from contracts.observation import Observation
from serving.forecast.dates import day_asked
from serving.forecast.question import Question, with_what_is_asked
from serving.formats.fhir.record import FhirRecord, bundle_of, record_of
from serving.schemas import RecordRequest
from serving.state.champion import Snapshot
from serving.state.consent import Consents

Records = dict[str, tuple[int, Sequence[Observation]] | ForecastRefused]
"""By subject: the day of enrolment and the observations on record, or that there are none."""


def question_of(
    consents: Consents,
    snapshot: Snapshot,
    request: RecordRequest,
    tenant: str,
    records: Records,
    now: datetime,
) -> Question:
    """Find the record that a request is about.

    Raises
    ------
    ForecastRefused
        It is given twice, only in part, or not on record.
    """
    inline = request.observations is not None or request.enrolment_day is not None
    if inline and request.bundle is not None:
        raise ForecastRefused(
            "the record is given twice", "send either observations or a bundle, not both"
        )
    onset = request.onset_date
    if request.bundle is not None:
        task = snapshot.served.bundle.task
        record = record_of(
            [bundle_of(request.bundle)], task, condition=request.condition,
            identified=partial(consents.require, tenant),
        )  # fmt: skip
        if onset not in {None, record.onset}:
            raise ForecastRefused(
                f"the bundle's date of onset is {record.onset}, and onset_date says {onset}",
                "leave out onset_date, or name another Condition of the bundle",
            )
        question = question_of_fhir(
            request.subject, record, _date_asked(request, record.onset), now
        )
    else:
        enrolment_day, observations = (
            _inline(request) if inline else _on_record(records, request.subject)
        )
        question = Question(
            subject=request.subject,
            enrolment_day=enrolment_day,
            observations=observations,
            as_of_day=day_asked(onset, _date_asked(request, onset), observations, now),
            onset=onset,
        )
    question = replace(
        _of_day(question, request.as_of_day), explain=request.explain,
        weeks=request.explain_horizon_weeks, next_measurement=request.next_measurement,
    )  # fmt: skip
    return with_what_is_asked(question, request)


def _date_asked(request: RecordRequest, onset: date | None) -> date | None:
    """Return the date that is asked about, where there is one: it may be sent as a day only."""
    if request.as_of is not None or request.as_of_day is None or onset is None:
        return request.as_of
    return onset + timedelta(days=request.as_of_day)


def _of_day(question: Question, day: int | None) -> Question:
    """Return the question of a day since onset, which must be that of the date if there is one."""
    if day is None or day == question.as_of_day:
        return question
    if question.as_of_day is not None:
        raise ForecastRefused(
            f"as_of is day {question.as_of_day} after the onset, and as_of_day says {day}",
            "send one of them, or correct the date of onset",
        )
    return replace(question, as_of_day=day)


def _inline(request: RecordRequest) -> tuple[int, Sequence[Observation]]:
    if request.observations is None or request.enrolment_day is None:
        raise ForecastRefused(
            "only half of the record is given", "send enrolment_day and observations together"
        )
    return request.enrolment_day, request.observations


def question_of_fhir(
    subject: str, record: FhirRecord, as_of: date | None, now: datetime
) -> Question:
    """Return the question about a FHIR record, of today unless a day is named, with reasons."""
    return Question(
        subject=subject,
        enrolment_day=record.enrolment_day,
        observations=record.observations,
        as_of_day=day_asked(record.onset, as_of, record.observations, now),
        onset=record.onset,
        notes=record.notes,
    )


def _on_record(records: Records, subject: str) -> tuple[int, Sequence[Observation]]:
    record = records.get(subject)
    if record is None:
        # Consent was given between the look at the record and the forecast.
        raise ServiceUnavailable("the record was not read", "send the request again")
    if isinstance(record, ForecastRefused):
        raise record
    return record
