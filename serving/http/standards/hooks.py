"""The routes of CDS Hooks 2.0."""

from __future__ import annotations

from datetime import UTC, datetime

from serving.formats.cds.cards import NO_CARDS, cards
from serving.formats.cds.discovery import prefetch_of, services_of
from serving.formats.cds.hooks import HookFeedback, HookRequest, outcomes
from serving.formats.cds.prefetch import prefetched
from serving.formats.fhir.right_patient import NotForThisPatient
from serving.http.calls import Call, Reply
from serving.http.handlers import FEEDBACK_STORED, reply_of, store_feedback
from serving.http.standards.documents import of_documents


def discover(call: Call) -> Reply:
    """List the CDS Hooks services, for the task of the model in service."""
    return Reply(services_of(call.runtime.champion.current.served.bundle.task))


def hook_cards(call: Call) -> Reply:
    """Answer the patient-view hook; of a patient whom the model is not for nothing is shown."""
    hook: HookRequest = call.body
    task = call.runtime.champion.current.served.bundle.task
    given = prefetched(hook.prefetch, prefetch_of(task))
    asked = of_documents(
        call, given.documents, route="cds-hooks", patient=hook.context.patientId,
        names=given.names, notes=given.notes,
    )  # fmt: skip
    if isinstance(asked.refusal, NotForThisPatient):
        return reply_of(asked.answer, NO_CARDS)
    return reply_of(asked.answer, cards(asked.answer, call.runtime.public_address))


def hook_feedback(call: Call) -> Reply:
    """Store what became of the cards: of all of them, or of none."""
    hook: HookFeedback = call.body
    decided = outcomes(hook, datetime.now(UTC))
    store_feedback(call, [each.feedback for each in decided], [each.time for each in decided])
    return Reply(FEEDBACK_STORED)
