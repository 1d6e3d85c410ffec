"""Procedures: sessions of therapy, in minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from features.sources.records.fhir_conditions import SNOMED
from features.sources.records.fhir_statements import MINUTES, LeftOut, Said, Statement
from features.sources.records.json_shapes import mapping, mappings, text

THERAPY = "REHABCAST//THERAPY"
THERAPIES = {"52052004", "91251008", "84478008", "311555007"}
"""SNOMED CT: rehabilitation therapy, physical, occupational, speech and language therapy."""

HELD = {"completed", "stopped"}
"""FHIR R4, event-status: of what was stopped the part before counts."""

_WITH_A_TIME = len("2024-03-05T09:00")


def procedure(
    resource: dict[str, Any], own: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Said]:
    """Yield a session of therapy, completed or stopped: its period says how long it took.

    Parameters
    ----------
    own
        The vocabulary's code of a hospital's own `system|code`.
    """
    codings = mappings(mapping(resource.get("code")).get("coding"))
    tokens = {f"{text(c.get('system'))}|{text(c.get('code'))}" for c in codings}
    known = {f"{SNOMED}|{code}" for code in THERAPIES}
    if not tokens & known and not any(own.get(token) == THERAPY for token in tokens):
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
    yield Statement(code=THERAPY, start=start, end=end, amount=MINUTES)
