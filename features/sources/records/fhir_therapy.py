"""Procedures: sessions of therapy, in minutes, and of which kinds they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts.therapy import KINDS, THERAPY
from contracts.vocabulary.code import REHABCAST_SYSTEM
from features.sources.records.fhir_conditions import SNOMED
from features.sources.records.fhir_statements import MINUTES, LeftOut, Said, Statement
from features.sources.records.json_shapes import mapping, mappings, text

THERAPIES = {
    "52052004": THERAPY,
    "91251008": "REHABCAST//THERAPY_PHYSIO",
    "84478008": "REHABCAST//THERAPY_OCCUPATIONAL",
    "311555007": "REHABCAST//THERAPY_SPEECH",
}
"""SNOMED CT: rehabilitation therapy, physical, occupational, speech and language therapy."""

SYSTEMS = {
    **{(SNOMED, code): kind for code, kind in THERAPIES.items()},
    **{(REHABCAST_SYSTEM, kind.partition("//")[2]): kind for kind in (THERAPY, *KINDS)},
}
"""The kind of therapy by system and code. No code of SNOMED CT was verified for the others."""

HELD = {"completed", "stopped"}
"""FHIR R4, event-status: of what was stopped the part before counts."""

_WITH_A_TIME = len("2024-03-05T09:00")


def procedure(resource: dict[str, Any]) -> Iterator[Said]:
    """Yield a session of therapy, completed or stopped: its period says how long it took.

    It counts as therapy, and as each kind that it is coded as.
    """
    codings = mappings(mapping(resource.get("code")).get("coding"))
    named = (SYSTEMS.get((text(c.get("system")), text(c.get("code")))) for c in codings)
    kinds = [kind for kind in named if kind is not None]
    if not kinds:
        yield LeftOut(
            field="Procedure.code", found="Procedure that is not a coded therapy", advice=""
        )
        return
    status = text(resource.get("status"))
    if status not in HELD:
        yield LeftOut(
            field=THERAPY,
            found=f"therapy that did not take place, or not yet ({status})",
            advice="",
            cause=f"therapy that is {status}",
        )
        return
    period = mapping(resource.get("performedPeriod"))
    start, end = (text(period.get(name)) for name in ("start", "end"))
    if min(len(start), len(end)) < _WITH_A_TIME:
        yield LeftOut(
            field=THERAPY,
            found="therapy without the times of its start and end: how long it took is not known",
            advice="give performedPeriod with both times",
            cause="therapy without a duration",
        )
        return
    for kind in dict.fromkeys((THERAPY, *kinds)):
        yield Statement(code=kind, start=start, end=end, amount=MINUTES)
