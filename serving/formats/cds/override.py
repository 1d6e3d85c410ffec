"""The line of a card that says who allowed a model without a passed audit, and on which terms.

None of its four parts (who, until when, for what, why) is ever left out: what is cut says so, by a
link to the page that has all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from serving.formats.cds.fitting import words_of
from serving.formats.formatting import formatted_date, shortened
from serving.schemas import ForecastAnswer

LEAST = (2, 1, 1)
"""Words of who, for what and why."""

MOST_HELD_BACK = 5
"""Words of a group's name."""

LONGEST = 100
"""Characters of each of them: a text without spaces is one word."""


def override_line(
    answer: ForecastAnswer, most: int, about: str, held_back: Sequence[str] = ()
) -> str:
    """Return the line in about so many words, or in as few as it can be; empty without an override.

    Parameters
    ----------
    about
        Address of the page about the model, for a clinician's browser; empty where there is none.
    held_back
        What the audit would have held this patient back for: the first, and how many more.
    """
    override = answer.model.override
    if override is None:
        return ""
    until = formatted_date(date.fromisoformat(override.until[:10]))
    mark = f"[…]({about})" if about else "…"
    # That this very patient would have been held back is more important than who answers for it.
    more = f" and {len(held_back) - 1} more" if len(held_back) > 1 else ""
    first = shortened(held_back[0], MOST_HELD_BACK, mark) if held_back else ""
    own = f", NOT shown right for {first}{more}:" if first else ""
    start = f"OVERRIDE{own} until {until} by"
    parts = override.approver, override.restricted_use, override.reason
    room = most - words_of(f"{start}, only for")
    audit = f" (audit: {answer.model.audit_outcome})"
    if room - words_of(audit) < sum(map(words_of, parts)):
        audit = ""
    who, use, why = _sharing(parts, room - words_of(audit), mark)
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
