"""Procedures: sessions of therapy, in minutes, and of which kinds they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from contracts.therapy import THERAPY
from features.sources.records.fhir_statements import MINUTES, LeftOut, Said, Statement
from features.sources.records.json_shapes import mapping, mappings, text
from features.sources.therapy_sessions import KINDS_BY_TOKEN, WITHOUT_DURATION, counted_as

HELD = {"completed", "stopped"}
"""FHIR R4, event-status: of what was stopped the part before counts."""

_WITH_A_TIME = len("2024-03-05T09:00")


def kinds_coded(concept: Any, own: Mapping[str, str] = MappingProxyType({})) -> tuple[str, ...]:
    """Return the codes that minutes of a coded therapy count for; none where it is no therapy.

    Parameters
    ----------
    concept
        The CodeableConcept.
    own
        As of `procedure`.
    """
    codings = mappings(mapping(concept).get("coding"))
    tokens = [f"{text(coding.get('system'))}|{text(coding.get('code'))}" for coding in codings]
    return counted_as(KINDS_BY_TOKEN.get(token, own.get(token, "")) for token in tokens)


def procedure(
    resource: dict[str, Any], own: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Said]:
    """Yield a session of therapy, completed or stopped: its period says how long it took.

    Parameters
    ----------
    own
        The vocabulary's code of a hospital's own `system|code`.
    """
    kinds = kinds_coded(resource.get("code"), own)
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
            found=WITHOUT_DURATION,
            advice="give performedPeriod with both times",
            cause="therapy without a duration",
        )
        return
    for kind in kinds:
        yield Statement(code=kind, start=start, end=end, amount=MINUTES)
