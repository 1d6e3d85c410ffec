"""What a clinician asks about a record."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import msgspec

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from contracts.task import Task
from serving.schemas import SCORE, ExplainRequest, RecordRequest, WhatIfRequest
from serving.whatif import LastWeeks, PlanAsked, PlanSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about a record.

    Parameters
    ----------
    subject, enrolment_day, observations
        The record.
    as_of_day
        The day that is asked about, in days since onset; None where no date of onset is known: then
        it is the newest day with a measurement.
    onset
        Its date, if known.
    explain, weeks, output, days_of
        Whether to explain; which horizon (None: the task's primary one), which output, and the
        days of which modality.
    next_measurement
        Whether to say what measuring again would be worth.
    plans, search, last_weeks
        Plans of therapy that are asked about, limits within which to look for others, and how the
        last weeks went, where next week's dose is asked for.
    notes
        What must be known of the record to read the answer.
    """

    subject: str
    enrolment_day: int
    observations: Sequence[Observation]
    as_of_day: int | None = None
    onset: date | None = None
    explain: bool = True
    weeks: int | None = None
    output: str = SCORE
    days_of: str | None = None
    next_measurement: bool = False
    plans: Sequence[PlanAsked] = ()
    search: PlanSearch | None = None
    last_weeks: LastWeeks | None = None
    notes: Sequence[str] = ()

    @property
    def asks_what_if(self) -> bool:
        """Whether other plans of therapy are asked about."""
        return bool(self.plans) or self.search is not None or self.last_weeks is not None


class NeverMeasured(ForecastRefused):
    """A record has no score of what is forecast, and none was left out of it."""


def is_measured(task: Task, observations: Sequence[Observation]) -> bool:
    """Say whether there is any score of what a task forecasts, or none is needed."""
    return task.target.assumed is not None or task.target.code in {o.code for o in observations}


def with_what_is_asked(question: Question, request: RecordRequest) -> Question:
    """Return a question with what requests of some routes ask beside the forecast."""
    if isinstance(request, ExplainRequest):
        return replace(question, explain=True, output=request.output, days_of=request.days_of)
    if isinstance(request, WhatIfRequest):
        return replace(
            question, plans=request.plans, search=request.search, last_weeks=request.last_weeks
        )
    return question


def input_digest(question: Question) -> str:
    """Return the SHA-256 of what a model reads to answer: the record and what is asked about it.

    The order of the observations does not matter, and neither does how they came here: inline, in a
    document or from the running record.
    """
    observations = sorted(map(msgspec.json.encode, question.observations))
    asked = (
        question.enrolment_day, question.as_of_day, question.explain, question.weeks,
        question.output, question.days_of,
        # What nobody asks leaves the digest as it was before it could be asked.
        *(["next measurement"] if question.next_measurement else []),
        *([question.plans, question.search, question.last_weeks] if question.asks_what_if else []),
    )  # fmt: skip
    content = b"\n".join([msgspec.json.encode(asked), *observations])
    return hashlib.sha256(content).hexdigest()
