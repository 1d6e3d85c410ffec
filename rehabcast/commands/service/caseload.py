"""Puts people of a SIMULATED cohort on the running record, to try the pages with."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime

from contracts.cohort import Cohort
from contracts.errors import ForecastRefused
from rehabcast.commands.service.serve import forecast_request
from rehabcast.settings import Settings
from serving.access.trust import DEVELOPMENT
from serving.state.store import Store

FIRST_DAY, LAST_DAY, STEP = 14, 84, 5
"""Days after enrolment that today is for these people: each is at another point of the course."""


def put_caseload(settings: Settings, cohort: Cohort, subjects: Iterable[int], actor: str) -> int:
    """Put people on the record of the trial, each until a day of their course; return how many.

    Somebody of whom the record says something else already stays as they are there.
    """
    people = 0
    with closing(Store(settings.store_url, make=True)) as store:
        for place, subject in enumerate(subjects):
            day = FIRST_DAY + place * STEP % (LAST_DAY - FIRST_DAY + 1)
            request = forecast_request(cohort, cohort.label(subject), as_of_day=day, weeks=None)
            if request.enrolment_day is None or not request.observations:
                continue
            try:
                store.add(
                    DEVELOPMENT, request.subject, request.enrolment_day, request.observations,
                    today=request.enrolment_day + day, actor=actor, now=datetime.now(UTC),
                )  # fmt: skip
            except ForecastRefused:
                continue
            people += 1
    return people
