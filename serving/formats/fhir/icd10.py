"""Codes of ICD-10 that a search can name: a search of FHIR takes whole codes, and no prefix."""

from __future__ import annotations

from collections.abc import Iterator

LONGER: dict[str, str] = {
    "I60": "00 01 02 10 11 12 20 21 22 30 31 32 50 51 52",
    "I63": (
        "00 011 012 013 019 02 031 032 033 039 09 10 111 112 113 119 12 131 132 133 139 19"
        " 20 211 212 213 219 22 231 232 233 239 29"
        " 30 311 312 313 319 321 322 323 329 331 332 333 339 341 342 343 349 39"
        " 40 411 412 413 419 421 422 423 429 431 432 433 439 441 442 443 449 49"
        " 50 511 512 513 519 521 522 523 529 531 532 533 539 541 542 543 549 59 81 89"
    ),
}
"""ICD-10-CM: what stands after the dot of codes of stroke that are longer than four characters. Of
other categories only the codes of three and four characters are searched for."""


def searched(prefix: str) -> Iterator[str]:
    """Yield the codes that begin with a prefix, as far as they are known here."""
    yield prefix
    if "." in prefix:
        return
    yield from (f"{prefix}.{digit}" for digit in range(10))
    yield from (f"{prefix}.{rest}" for rest in LONGER.get(prefix, "").split())
