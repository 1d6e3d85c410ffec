"""The line of a card that says who allowed a model without a passed audit, and on which terms.

None of its four parts (who, until when, for what, why) is ever left out: what is cut says so, by a
link to the page that has all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from serving.formats.formatting import formatted_date, shortened
from serving.schemas import ForecastAnswer

SHORTEST_OVERRIDE = 18
"""Words that the line may need at least."""

LEAST = (2, 1, 1)
"""Words of who, for what and why."""

LONGEST = 100
"""Characters of each of them: a text without spaces is one word."""

MOST_HELD_BACK = 2
"""Words of whom the model was not shown to be right for."""


def override_line(answer: ForecastAnswer, most: int, address: str) -> str:
    """Return the line in at most so many words, or `SHORTEST_OVERRIDE`; empty without an override.

    Parameters
    ----------
    address
        Of this service as a clinician's browser reaches it; empty where none is declared.
    """
    override = answer.model.override
    if override is None:
        return ""
    until = formatted_date(date.fromisoformat(override.until[:10]))
    mark = f"[…]({address}/about)" if address else "…"
    # That this very patient would have been held back is more important than what the audit said.
    own = shortened(", ".join(answer.held_back), MOST_HELD_BACK, mark)
    start = f"OVERRIDE, NOT shown right for {own}:" if own else "OVERRIDE"
    audit = "" if own else f" (audit: {answer.model.audit_outcome})"
    start = f"{start} until {until} by"
    room = most - len(f"{start}{audit}, only for".split())
    parts = override.approver, override.restricted_use, override.reason
    who, use, why = _sharing(parts, room, mark)
    return f"**{start} {who}{audit}, only for {use}: {why}**"


def _sharing(texts: Sequence[str], most: int, mark: str) -> list[str]:
    """Cut texts to so many words together, each at least to its own least; no one takes it all."""
    rooms, lengths = list(LEAST), [len(text.split()) for text in texts]
    while sum(rooms) < most and (short := [k for k in range(len(texts)) if rooms[k] < lengths[k]]):
        rooms[min(short, key=lambda k: rooms[k])] += 1
    return [_cut(text, room, mark) for text, room in zip(texts, rooms, strict=True)]


def _cut(text: str, most: int, mark: str) -> str:
    cut = shortened(text, most, "")
    cut = cut[:LONGEST]
    return text if cut == text else f"{cut}{mark}"
