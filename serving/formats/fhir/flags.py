"""FHIR R4 out: alerts become Flags, each with the Communication that tells of it.

Nothing is sent: the Communication is in preparation, for whoever is to be told.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from serving.formats.fhir.device import AI_LABEL
from serving.monitoring.alert import Kind
from serving.monitoring.answers import AlertRow

KINDS = "urn:rehabcast:alert"
"""Code system of the kinds of alerts, our own: they are no diagnoses."""

SUBJECTS = "urn:rehabcast:subject"
"""System of the subjects' ids as requests have them, unique within a tenant."""

TERMS = "http://terminology.hl7.org/CodeSystem"
PRIORITIES = {"today": "urgent", "this week": "asap", "next visit": "routine"}


def flags(tenant: str, subject: str, rows: Sequence[AlertRow], now: datetime) -> dict[str, Any]:
    """Write alerts as a Bundle of Flags and Communications.

    Parameters
    ----------
    tenant
        Whose record it is: two may have the same pseudonym for two people.
    subject
        The patient's id, or pseudonym, as the record has it.
    """
    entries = [entry for row in rows for entry in _entries(tenant, subject, row)]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": now.isoformat(timespec="seconds"),
    }
    # FHIR knows no empty list.
    return {**bundle, "entry": entries} if entries else bundle


def _entries(tenant: str, subject: str, row: AlertRow) -> list[dict[str, Any]]:
    # The same alert is the same resource, each time that it is asked for.
    named = json.dumps([KINDS, tenant, subject, row.alert, row.since_day])
    flag_id = str(uuid.uuid5(uuid.NAMESPACE_URL, named))
    message_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{flag_id}:communication"))
    # No literal reference: a pseudonym is no id of a resource, and may have what no id may.
    patient = {
        "type": "Patient",
        "identifier": {
            "system": SUBJECTS,
            "value": subject,
            "assigner": {"display": tenant},
        },
    }
    # Only a course is compared with what a model forecast.
    meta: dict[str, Any] = {"meta": {"security": [AI_LABEL]}} if row.kind == Kind.OFF_COURSE else {}
    flag: dict[str, Any] = {
        "resourceType": "Flag",
        "id": flag_id,
        **meta,
        "status": "active",
        "category": [_concept(f"{TERMS}/flag-category", "clinical", "Clinical")],
        "code": {**_concept(KINDS, row.kind.replace(" ", "-"), row.kind), "text": row.says},
        "subject": patient,
    }
    communication = {
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
