"""Which codes somebody may have meant who wrote one that is not in the vocabulary."""

from __future__ import annotations

import difflib
import re

from contracts.vocabulary.known import vocabulary

LEAST_ALIKE = 0.75
"""Share of characters in common (Ratcliff and Obershelp 1988); less is no guess worth making."""

LONGEST = 120
"""Characters of what is compared: no code is longer."""


def nearest_codes(written: str, most: int = 2) -> tuple[str, ...]:
    """Return the codes that are written most alike, the nearest first; none where none is.

    Compared with whole codes, with their own part, with FHIR's `system|code` and with names. Only
    codes of the vocabulary are returned, never what was written.
    """
    ways: dict[str, str] = {}
    for code, entry in vocabulary().items():
        for way in (code, code.partition("//")[2], entry.name, *entry.tokens):
            if _plain(way):
                ways.setdefault(_plain(way), code)
    found = difflib.get_close_matches(_plain(written[:LONGEST]), ways, 4 * most, LEAST_ALIKE)
    return tuple(dict.fromkeys(ways[way] for way in found))[:most]


def _plain(text: str) -> str:
    """Return a text without what differs between ways to write it."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
