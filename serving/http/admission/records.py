"""Records that forecasts start from: read in threads of their own, within a time limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from contracts.errors import ForecastRefused, ServiceUnavailable
from serving.http.admission import limits
from serving.http.decoding.questions import Records
from serving.http.refusals import EXPECTED_ERRORS, refusal_of, unavailable
from serving.http.runtime import Runtime
from serving.schemas import ForecastsRequest, RecordRequest
from serving.state.consent import ConsentWithdrawn

MAX_RECORDS = 4
"""Requests whose records are read at the same time."""

RECORD_SECONDS = 6.0
"""Longest time for the records of a request: more than a statement of the store may take."""


def people_on_record(body: object) -> list[str]:
    """Return the people whom a request names without their record: it must be read first."""
    requests = body.requests if isinstance(body, ForecastsRequest) else [body]
    return list(
        dict.fromkeys(
            request.subject
            for request in requests
            if isinstance(request, RecordRequest) and not _has_record(request)
        )
    )


def _has_record(request: RecordRequest) -> bool:
    given = (request.observations, request.enrolment_day, request.bundle)
    return any(part is not None for part in given)


class StoredRecords:
    """Reads what the store has of the people whom a request names.

    A store that hangs delays nobody whose record comes with the request.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_RECORDS, "records")
        self._slots = limits.Room(
            limits.MAX_STORE_REQUESTS, limits.MAX_STORE_REQUESTS_OF_ONE, "too many requests at once"
        )

    async def of(
        self, runtime: Runtime, tenant: str, subjects: Sequence[str], caller: str
    ) -> Records:
        """Return the records of a tenant's subjects.

        Raises
        ------
        RequestRefused
            They cannot be read now, or too many wait for theirs.
        """
        read = partial(_read, runtime, tenant, subjects, time.monotonic() + RECORD_SECONDS)
        with self._slots.taken(caller):
            try:
                # Who gives up leaves the queue, or a thread that no more than finishes one person.
                reading = asyncio.get_running_loop().run_in_executor(self._threads, read)
                return await asyncio.wait_for(reading, RECORD_SECONDS)
            except TimeoutError:
                raise unavailable("the record cannot be read now") from None
            except EXPECTED_ERRORS as error:
                raise refusal_of(error) from None


def _read(runtime: Runtime, tenant: str, subjects: Sequence[str], until: float) -> Records:
    records: Records = {}
    for subject in subjects:
        if time.monotonic() >= until:
            raise ServiceUnavailable("the store is slow", "send the request again later")
        try:
            runtime.consents.require(tenant, subject)
            records[subject] = runtime.store.record(tenant, subject)
        except ConsentWithdrawn:
            continue  # It is refused without its record.
        except ForecastRefused as refusal:
            records[subject] = refusal
    return records
