"""FHIR R4 out: alerts become Flags, each with the Communication that tells of it.

Nothing is sent: the Communication is in preparation, for whoever is to be told.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from serving.formats.fhir import AI_LABEL
from serving.monitoring.alert import Kind
from serving.monitoring.answers import AlertRow

KINDS = "urn:rehabcast:alert"
"""Code system of the kinds of alerts, our own: they are no diagnoses."""

TERMS = "http://terminology.hl7.org/CodeSystem"
PRIORITIES = {"today": "urgent", "this week": "asap", "next visit": "routine"}


def flags(subject: str, rows: Sequence[AlertRow], now: datetime) -> dict[str, Any]:
    """Write alerts as a Bundle of Flags and Communications.

    Parameters
    ----------
    subject
        The patient's id, or pseudonym, as the record has it.
    """
    entries = [entry for row in rows for entry in _entries(subject, row)]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": now.isoformat(timespec="seconds"),
    }
    # FHIR knows no empty list.
    return {**bundle, "entry": entries} if entries else bundle


def _entries(subject: str, row: AlertRow) -> list[dict[str, Any]]:
    # The same alert is the same resource, each time that it is asked for.
    flag_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{KINDS}:{subject}:{row.alert}:{row.since_day}"))
    message_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{flag_id}:communication"))
    patient = {"reference": f"Patient/{subject}"}
    # Only a course is compared with what a model forecast.
    meta: dict[str, Any] = {"meta": {"security": [AI_LABEL]}} if row.kind == Kind.OFF_COURSE else {}
    since: dict[str, Any] = (
        {} if row.since_date is None else {"period": {"start": row.since_date.isoformat()}}
    )
    flag: dict[str, Any] = {
        "resourceType": "Flag",
        "id": flag_id,
        **meta,
        "status": "active",
        "category": [_concept(f"{TERMS}/flag-category", "clinical", "Clinical")],
        "code": {**_concept(KINDS, row.kind.replace(" ", "-"), row.kind), "text": row.says},
        "subject": patient,
        **since,
    }
    communication: dict[str, Any] = {
        "resourceType": "Communication",
        "id": message_id,
        **meta,
        "status": "preparation",
        "category": [_concept(f"{TERMS}/communication-category", "alert", "Alert")],
        "priority": PRIORITIES[row.urgency],
        "subject": patient,
        "about": [{"reference": f"urn:uuid:{flag_id}"}],
        "payload": [{"contentString": row.says}],
    }
    return [
        {"fullUrl": f"urn:uuid:{flag_id}", "resource": flag},
        {"fullUrl": f"urn:uuid:{message_id}", "resource": communication},
    ]


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}]}
