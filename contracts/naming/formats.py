"""In which form documents are stored, and what is said of one that a later rehabcast wrote.

Each document says its form as `rehabcast-KIND/NUMBER` under `format`; one that says nothing is of
form 1. A form is numbered anew where its reader changes so that an earlier one would misread it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.errors import RehabcastError
from contracts.naming.parsing import parsed_json

KEY = "format"
NEWEST = {
    "task": 1, "audit-policy": 1, "bundle": 6, "audit-report": 1, "record": 4, "change-plan": 1,
    "vocabulary": 1, "prior": 1, "federated-offer": 1, "federated-sums": 1, "monitoring-plan": 1,
    "exercise-programme": 1, "exercise-sets": 1, "exercise-recogniser": 1, "exercise-template": 1,
    "exercise-audit": 1,
}  # fmt: skip
"""Newest form of each kind of document that this version reads; it reads all before.

A bundle of form 1 does not tell how many people stand behind a forecast: what it was trained and
judged on is read, but it gives no forecast. Form 3 is form 2 with codes that rehabcast does not
ship, and is written only where there are any; form 4 is either with how its networks were joined;
form 5 may have curves of recovery and counts of doses, without which nothing is said of other
plans; of form 6 the calibration depends on the time since onset. A record of form 2 has what
monitoring reads, one of form 3 also the points that were pushed, one of form 4 the forecasts whose
outcome is awaited: a version that did not know them would not erase them.
"""

OTHER_VERSION = "use the version of rehabcast that wrote it, or a later one; it was left as it is"


def name_of(kind: str, number: int | None = None) -> str:
    """Return how a document says its form; by default the newest."""
    return f"rehabcast-{kind}/{NEWEST[kind] if number is None else number}"


def later_form(content: object, kind: str) -> str | None:
    """Return what a document says of its form where this version does not read it; else None."""
    said = content.get(KEY) if isinstance(content, Mapping) else None
    if said is None or said in [name_of(kind, number + 1) for number in range(NEWEST[kind])]:
        return None
    return str(said)


def require_known_form(content: object, kind: str, place: str, error: type[RehabcastError]) -> None:
    """Refuse a document of a form that this version does not read.

    Parameters
    ----------
    content
        The document, or its JSON text; what is no JSON is left to who reads it.
    kind, place
        One of `NEWEST`; and how the document is named in the message.
    error
        Class of the refusal.
    """
    if isinstance(content, bytes):
        try:
            content = parsed_json(content)
        except ValueError:
            return
    if (said := later_form(content, kind)) is not None:
        raise error(
            f"{place} says that its form is {said!r}, and this version of rehabcast reads"
            f" {name_of(kind)!r}",
            OTHER_VERSION,
        )


def without_form(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a declaration without its form: the form is of the file, not of what it declares."""
    return {key: value for key, value in content.items() if key != KEY}
