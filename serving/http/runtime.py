"""What a worker answers with: champion, store, forecast log, and who is trusted."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import msgspec

from contracts.errors import ForecastRefused, ServiceUnavailable
from contracts.observation import Observation
from serving.access.addresses import Network
from serving.access.authentication import Access, Caller
from serving.faults import Fault
from serving.forecast.dates import day_asked
from serving.forecast.question import Question, input_digest, with_what_is_asked
from serving.forecast.respond import refused, respond
from serving.formats.fhir.record import FhirRecord, bundle_of, record_of
from serving.schemas import ForecastAnswer, RecordRequest
from serving.state.alerting.webhook import Webhook
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from serving.state.consent import Consents, ConsentWithdrawn
from serving.state.evidence.shadow import Asked, Shadow
from serving.state.forecast_log import ForecastEntry, ForecastLog
from serving.state.store import NotOnRecord, Store

Records = dict[str, tuple[int, Sequence[Observation]] | ForecastRefused]
"""By subject: the day of enrolment and the observations on record, or that there are none."""

NOTHING_READ = ""
"""Digest of the input of an answer that was refused before a record was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Everything that a worker answers with.

    Parameters
    ----------
    champions, store, consents, forecast_log
        What is served, and where it is kept.
    access, proxies
        Who is trusted: issuers and clients, and proxies to say who is behind them.
    declared_address
        The service's address as a clinician's browser reaches it; empty for that of its callers.
    origins
        Pages of other origins that may send requests from a browser.
    webhook
        Tells an address of new alerts; None where none was named.
    shadow
        Forecasts beside the champion, shown to nobody; None where no version does.
    predict_first
        Whether the pages ask clinicians for their own prediction before they show a forecast.
    """

    champions: Champions
    store: Store
    consents: Consents
    forecast_log: ForecastLog
    access: Access
    proxies: Sequence[Network] = ()
    declared_address: str = ""
    origins: Sequence[str] = ()
    webhook: Webhook | None = None
    shadow: Shadow | None = None
    predict_first: bool = False

    @property
    def public_address(self) -> str:
        """The service's address for links; empty where none is declared."""
        return self.declared_address or self.access.audience

    def close(self) -> None:
        """Write the entries that are waiting, and stop the threads."""
        if self.webhook is not None:
            self.webhook.close()
        if self.shadow is not None:
            self.shadow.close()
        self.champions.close()
        self.consents.close()
        self.forecast_log.close()
        self.store.close()

    def problems(self) -> list[Fault]:
        """Return what an operator should look at; empty when all is well."""
        faults = [*self.champions.problems(), self.forecast_log.problem, self.consents.problem]
        faults += [part.problem for part in (self.webhook, self.shadow) if part is not None]
        if self.forecast_log.lost:
            faults.append(
                Fault(
                    f"{self.forecast_log.lost} forecasts are missing from the forecast log",
                    "note the gap, check the store, and restart this worker",
                )
            )
        if not self.store.takes_writes():
            faults.append(
                Fault(
                    "the service's store takes no entries: observations and feedback are refused",
                    "check its database: running, reachable, not locked, disk not full",
                )
            )
        return [fault for fault in faults if fault is not None]


def forecast(
    runtime: Runtime, snapshot: Snapshot, request: RecordRequest, *, route: str, caller: Caller,
    records: Records, now: datetime | None = None,
) -> ForecastAnswer:  # fmt: skip
    """Answer one request with the champion of one moment, and log the forecast.

    Parameters
    ----------
    records
        Of the `people_on_record`, as they were read for this request.
    now
        Of the forecast, where several models are asked at once; by default this moment.

    Raises
    ------
    NotOnRecord
        It names a subject of whom the caller's tenant has no record.
    """
    now = now or datetime.now(UTC)
    question, digest, subject = None, NOTHING_READ, request.subject or None
    try:
        runtime.consents.require(caller.tenant, request.subject)
        question = question_of(runtime, snapshot, request, caller.tenant, records, now)
        digest = input_digest(question)
        answer = respond(question, snapshot.served, now=now, withdrawn=snapshot.withdrawn)
    except NotOnRecord:
        raise
    except ForecastRefused as refusal:
        answer = refused(request.subject, snapshot.served, refusal)
        if isinstance(refusal, ConsentWithdrawn):
            subject = None
    return logged(
        runtime, answer, route=route, caller=caller, subject=subject, digest=digest, now=now,
        question=question,
    )  # fmt: skip


def question_of(
    runtime: Runtime,
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
            identified=partial(runtime.consents.require, tenant),
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


def logged(
    runtime: Runtime,
    answer: ForecastAnswer,
    *,
    route: str,
    caller: Caller,
    subject: str | None,
    digest: str,
    now: datetime,
    question: Question | None = None,
) -> ForecastAnswer:
    """Give an answer its id, add it to the forecast log, and let the shadow forecast too.

    Parameters
    ----------
    subject
        The person; None where none could be made out, or must not be put on record.
    digest
        Of what the model read (`serving.forecast.question.input_digest`).
    question
        What was asked; None where no record could be read.
    """
    # Even, so that the second card of a forecast can have the number after it.
    forecast_id = f"{secrets.randbits(128) & ~1:032x}"
    answer = msgspec.structs.replace(answer, forecast_id=forecast_id)
    on_record = answer if subject is not None else msgspec.structs.replace(answer, subject="")
    runtime.forecast_log.add(
        ForecastEntry(
            id=forecast_id,
            time=now.isoformat(timespec="seconds"),
            route=route,
            actor=caller.name,
            tenant=caller.tenant,
            subject=subject,
            model_version=answer.model.model_version,
            bundle_digest=answer.model.bundle_digest,
            input_digest=digest,
            output=msgspec.json.encode(on_record).decode(),
        )
    )
    if runtime.shadow is not None and question is not None and subject is not None:
        asked = Asked(
            question=question, task=answer.model.task, champion=answer.model.model_version,
            was_given=answer.status == "forecast", subject=subject, tenant=caller.tenant,
            actor=caller.name, now=now,
        )  # fmt: skip
        runtime.shadow.ask(asked)
    return answer
