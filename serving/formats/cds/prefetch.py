"""The prefetch of a CDS Hooks request: what a key holds, what it means, and what is missing.

CDS Hooks 2.0, Prefetch Template: null says that there are no such data; a key that is absent was
not fetched, and an OperationOutcome says that it could not be, so that asking again is of no use.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import RehabcastError
from features.sources.records.fhir_documents import has_next_page
from features.sources.records.json_shapes import mappings, text

NEEDED = ("conditions", "observations")
"""The keys without which nobody knows whether the patient has the condition, and how it is. The
service fetches nothing itself."""

WANTED = {
    "patient": "age, sex and whether the patient lives are not known",
    "procedures": "sessions of therapy are not known",
}
"""Other keys, and what is not known without them."""

_ISSUE_TYPE = re.compile(r"[a-z-]{1,30}")
"""A code of FHIR's issue-type: of an OperationOutcome nothing else is repeated, as its texts may
hold anything."""


class PrefetchMissing(RehabcastError):
    """What is needed was not prefetched, or could not be (412)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefetched:
    """What a hook brought along.

    Parameters
    ----------
    documents, names
        Bundles and resources, and the key that each stood under.
    notes
        What of the rest is not known, and why.
    """

    documents: tuple[dict[str, Any], ...]
    names: tuple[str, ...]
    notes: tuple[str, ...]


def prefetched(prefetch: Mapping[str, Any] | None, asked: Collection[str]) -> Prefetched:
    """Return what a hook brought along.

    Parameters
    ----------
    asked
        The keys that discovery asks for.

    Raises
    ------
    PrefetchMissing
        A key that is needed is absent, or holds an OperationOutcome or no resource.
    """
    held = prefetch or {}
    missing = [f"{key} ({why})" for key in NEEDED if (why := _why_missing(key, held)) is not None]
    if missing:
        failed = any(_failure(held.get(key)) is not None for key in NEEDED)
        raise PrefetchMissing(
            f"the prefetch lacks {', '.join(missing)}",
            ("find out in the record system why the fetch failed, and " if failed else "")
            + "send the prefetch that /cds-services asks for (this service fetches nothing itself);"
            " null where there are no such data",
        )
    found = {key: value for key, value in held.items() if _is_resource(value)}
    return Prefetched(
        documents=tuple(found.values()),
        names=tuple(found),
        notes=tuple(_notes(held, asked)),
    )


def _why_missing(key: str, held: Mapping[str, Any]) -> str | None:
    """Return why a key that is needed cannot be used; None where it can, also where it is null."""
    if key not in held:
        return "not sent"
    value = held[key]
    if (failure := _failure(value)) is not None:
        return failure
    return None if value is None or _is_resource(value) else "no FHIR resource"


def _failure(value: Any) -> str | None:
    """Return that a fetch failed, as an OperationOutcome says; None for anything else."""
    if not isinstance(value, dict) or value.get("resourceType") != "OperationOutcome":
        return None
    codes = (text(issue.get("code")) for issue in mappings(value.get("issue")))
    known = [code for code in codes if _ISSUE_TYPE.fullmatch(code)]
    return f"could not be fetched: {', '.join(known[:3]) or 'no reason given'}"


def _is_resource(value: Any) -> bool:
    named = isinstance(value, dict) and isinstance(value.get("resourceType"), str)
    return named and value["resourceType"] != "OperationOutcome"


def _notes(held: Mapping[str, Any], asked: Collection[str]) -> Sequence[str]:
    notes = [
        f"of {key} only one page was sent: there are more"
        for key, value in held.items()
        if key in asked and has_next_page(value)
    ]
    for key, unknown in WANTED.items():
        value = held.get(key)
        if key not in asked:
            continue
        if (failure := _failure(value)) is not None:
            notes.append(f"{key} {failure}, so {unknown}")
        elif key not in held:
            notes.append(f"{key} not sent, so {unknown}")
    return notes
