"""What a worker answers with: champion, store, forecast log, and who is trusted."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from contracts.errors import ForecastRefused
from contracts.task import Task
from serving.access.addresses import Network
from serving.access.authentication import Access, Caller
from serving.faults import Fault
from serving.forecast.question import NeverMeasured, Question, input_digest, is_measured
from serving.forecast.respond import refused, respond
from serving.http.decoding.questions import Records, question_of
from serving.schemas import ForecastAnswer, RecordRequest
from serving.state.alerting.webhook import Webhook
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from serving.state.consent import Consents, ConsentWithdrawn
from serving.state.evidence.shadow import Asked, Shadow
from serving.state.forecast_log import ForecastEntry, ForecastLog
from serving.state.store import NotOnRecord, Store

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
    records: Records, now: datetime | None = None, by_name: bool = True,
) -> ForecastAnswer:  # fmt: skip
    """Answer one request with the champion of one moment, and log the forecast.

    Parameters
    ----------
    records
        Of the `people_on_record`, as they were read for this request.
    now
        Of the forecast, where several models are asked at once; by default this moment.
    by_name
        As of `logged`.

    Raises
    ------
    NotOnRecord
        It names a subject of whom the caller's tenant has no record.
    """
    now = now or datetime.now(UTC)
    question, digest, subject = None, NOTHING_READ, request.subject or None
    refused_by: ForecastRefused | None = None
    try:
        runtime.consents.require(caller.tenant, request.subject)
        question = question_of(runtime.consents, snapshot, request, caller.tenant, records, now)
        digest = input_digest(question)
        answer = respond(question, snapshot.served, now=now, withdrawn=snapshot.withdrawn)
    except NotOnRecord:
        raise
    except ForecastRefused as refusal:
        answer, refused_by = refused(request.subject, snapshot.served, refusal), refusal
        if isinstance(refusal, ConsentWithdrawn):
            subject = None
    return logged(
        runtime, answer, task=snapshot.served.bundle.task, route=route, caller=caller,
        subject=subject, digest=digest, now=now, question=question, refusal=refused_by,
        by_name=by_name,
    )  # fmt: skip


def logged(
    runtime: Runtime,
    answer: ForecastAnswer,
    *,
    task: Task,
    route: str,
    caller: Caller,
    subject: str | None,
    digest: str,
    now: datetime,
    question: Question | None,
    refusal: ForecastRefused | None,
    by_name: bool,
) -> ForecastAnswer:
    """Give an answer its id, add it to the forecast log, and let the shadow forecast too.

    Parameters
    ----------
    task
        What was forecast.
    subject
        The person; None where none could be made out, or must not be put on record.
    digest
        Of what the model read (`serving.forecast.question.input_digest`).
    question
        What was asked; None where no record could be read.
    refusal
        Why it could not be read.
    by_name
        Whether the task was asked for by its name. Of what was asked for with all others, a patient
        who was never measured on it is answered without an id, and nothing is on record: it would
        count as a refusal of the model, each time.
    """
    unread = isinstance(refusal, NeverMeasured)
    measured = not unread if question is None else is_measured(task, question.observations)
    if not (by_name or measured):
        return answer
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
