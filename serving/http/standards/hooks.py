"""The routes of CDS Hooks 2.0."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from contracts.task import Task
from serving.formats.cds.cards import NO_CARDS, cards
from serving.formats.cds.discovery import prefetch_of, services_of
from serving.formats.cds.hooks import HookFeedback, HookRequest, outcomes
from serving.formats.cds.prefetch import prefetched
from serving.formats.fhir.right_patient import NotForThisPatient
from serving.http.calls import Call, Reply
from serving.http.decoding import RequestInvalid
from serving.http.decoding.tasks import chosen
from serving.http.handlers import FEEDBACK_STORED, reply_of, store_feedback
from serving.http.refusals import RequestRefused
from serving.http.standards.documents import of_documents
from serving.schemas import SubjectId
from serving.state.store import NotOnRecord

PATIENT = "Course, reasons and other plans of this patient"
"""What a card calls the patient's page."""


def discover(call: Call) -> Reply:
    """List the CDS Hooks services, one for each task in service."""
    current = call.runtime.champions.current
    return Reply(services_of([snapshot.served.bundle.task for snapshot in current]))


def hook_cards(call: Call) -> Reply:
    """Answer the patient-view hook; of a patient whom the model is not for nothing is shown."""
    hook: HookRequest = call.body
    task = _task_called(call)
    given = prefetched(hook.prefetch, prefetch_of(task))
    asked = of_documents(
        call, given.documents, route="cds-hooks", task=task.name, patient=hook.context.patientId,
        names=given.names, notes=given.notes,
    )  # fmt: skip
    if isinstance(asked.refusal, NotForThisPatient):
        return reply_of(asked.answer, NO_CARDS)
    address = call.runtime.public_address
    which = f"?task={task.name}" if len(call.runtime.champions.current) > 1 else ""
    about = f"{address}/about{which}" if address else ""
    content = cards(asked.answer, about)
    if page := page_of(call, hook.context.patientId):
        team = content["cards"][0]
        link = {"label": PATIENT, "url": page + which, "type": "absolute"}
        team["links"] = [link, *team["links"]]
    return reply_of(asked.answer, content)


def page_of(call: Call, patient: str) -> str:
    """Return the address of a patient's page; empty where nobody signs in or has a record of them.

    The page shows the running record, and not what the record system sent with the hook.
    """
    address = call.runtime.public_address
    if not address or call.runtime.access.sign_in is None:
        return ""
    try:
        subject = msgspec.convert(patient, SubjectId)
        call.runtime.store.record(call.caller.tenant, subject)
    except (msgspec.ValidationError, NotOnRecord):
        return ""
    return f"{address}/pages/patients/{subject}"


def hook_cards_of_task(call: Call) -> Reply:
    """Answer the hook for the task that the address names."""
    return hook_cards(call)


def hook_feedback_of_task(call: Call) -> Reply:
    """Store what became of cards; of whichever task they were."""
    return hook_feedback(call)


def _task_called(call: Call) -> Task:
    """Return the task of the service that is called.

    Raises
    ------
    RequestRefused
        Discovery lists no such service.
    """
    try:
        snapshot = chosen(call.runtime.champions, call.parameters.get("task", ""))
    except RequestInvalid:
        raise RequestRefused(
            404, "there is no such CDS Hooks service", "call one that /cds-services lists"
        ) from None
    return snapshot.served.bundle.task


def hook_feedback(call: Call) -> Reply:
    """Store what became of the cards: of all of them, or of none."""
    hook: HookFeedback = call.body
    decided = outcomes(hook, datetime.now(UTC))
    store_feedback(call, [each.feedback for each in decided], [each.time for each in decided])
    return Reply(FEEDBACK_STORED)
