"""The routes of CDS Hooks 2.0."""

from __future__ import annotations

from datetime import UTC, datetime

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
    about = f"{address}/about" if address else ""
    if about and len(call.runtime.champions.current) > 1:
        about += f"?task={task.name}"
    return reply_of(asked.answer, cards(asked.answer, about))


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
