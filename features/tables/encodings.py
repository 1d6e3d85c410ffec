"""Which encoding a text without a mark may be in, by the letters that its languages use."""

from __future__ import annotations

import unicodedata
from collections import Counter

import charset_normalizer

SINGLE_BYTE = ("cp1252", "cp1254", "cp1250", "mac_roman")
"""What hospitals' programs write in English, German, Spanish, French, Turkish and near them."""

LETTERS_OF = {
    "cp1252": "äöüßÄÖÜéèêàâçîïôûùëœæáíóúñÁÉÍÓÚÑ¿¡°²µ€",
    "cp1254": "ğışĞİŞçöüÇÖÜâîû",
    "cp1250": "äöüßąęłńśźżčěřůšžőű",
    "mac_roman": "äöüßÄÖÜéèêàâçîïôûùáíóúñ",
}
"""Letters that a text in the languages of each encoding is likely to have."""

LAST_RESORT = {"cp1250"}
"""Likely only where no other encoding explains the letters as well."""

LOOKED_AT = 1 << 20
"""Bytes, from the beginning, by which an encoding is told."""

LEAST_LIKELY = 0.5
"""An encoding with fewer likely letters than this share of the likeliest one's is not named."""


def likely_encodings(content: bytes) -> list[tuple[str, str]]:
    """Return the encodings that a text may be in with what it then says, the likeliest first.

    One encoding stands for all that give the same text. How many of the letters that are not
    ASCII are letters of its languages decides, and charset-normalizer between equals: alone it is
    wrong for half of short tables (docs/dependencies.md).
    """
    possible = _possible(content)
    if not possible:
        return []
    guessed = charset_normalizer.from_bytes(content[:LOOKED_AT], cp_isolation=list(possible))
    order = [match.encoding for match in guessed]

    def rank(encoding: str) -> tuple[float, bool, int]:
        odd = Counter(sign for sign in possible[encoding][:LOOKED_AT] if ord(sign) > 127)
        likely = sum(count for sign, count in odd.items() if sign in LETTERS_OF[encoding])
        place = order.index(encoding) if encoding in order else len(order)
        return -likely / max(1, odd.total()), encoding in LAST_RESORT, place

    ranked = sorted(possible, key=rank)
    best = rank(ranked[0])[0]
    return [(each, possible[each]) for each in ranked if rank(each)[0] <= best * LEAST_LIKELY]


def _possible(content: bytes) -> dict[str, str]:
    """Return the encodings that all bytes are possible in, one for each text that they give."""
    possible: dict[str, str] = {}
    for encoding in SINGLE_BYTE:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        signs = set(text[:LOOKED_AT]) - set("\r\n\t")
        if text not in possible.values() and not any(
            unicodedata.category(sign) == "Cc" for sign in signs
        ):
            possible[encoding] = text
    return possible
