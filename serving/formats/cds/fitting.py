"""What a card has room for: lines in at most so many words, and the line of an override."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from serving.formats.formatting import formatted_date
from serving.schemas import ForecastAnswer

APPROVER_WORDS, USE_WORDS = 3, 5
"""Words of who overrode the gate, and of the only use, that always stand there."""


def words_of(text: str) -> int:
    """Return how many words a text has."""
    return len(text.split())


def in_at_most(most: int, lines: Iterable[Sequence[str]]) -> list[str]:
    """Say every line, the last ones in fewer words where all do not fit in so many."""
    ways = [list(line) for line in lines if line and line[0]]
    while sum(words_of(line[0]) for line in ways) > most:
        line = next((line for line in reversed(ways) if len(line) > 1), None)
        if line is None:
            break
        del line[0]
    return [line[0] for line in ways]


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many words; an ellipsis says that there are more."""
    words = text.split()
    return text if len(words) <= most else f"{' '.join(words[:most])}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """The line of an override, and how many of its words must be said; the page has all of it."""

    text: str = ""
    fewest: int = 0


def override_line(answer: ForecastAnswer, held_back: Sequence[str]) -> Override:
    """Say who allowed a model without a passed audit, until when, for what, and why.

    First that this very patient would have been held back: who answers for it is less important.
    """
    override = answer.model.override
    if override is None:
        return Override()
    until = formatted_date(date.fromisoformat(override.until[:10]))
    more = f" and {len(held_back) - 1} more" if len(held_back) > 1 else ""
    own = f", NOT shown to be right for {held_back[0]}{more}:" if held_back else ""
    start = f"OVERRIDE{own} until {until} by"
    approver = shortened(override.approver, APPROVER_WORDS)
    fewest = f"{start} {approver}, only: {shortened(override.restricted_use, USE_WORDS)}"
    whole = (
        f"{start} {approver}, only: {override.restricted_use}; {override.reason}"
        f" (audit: {answer.model.audit_outcome})"
    )
    return Override(text=whole, fewest=words_of(fewest))
