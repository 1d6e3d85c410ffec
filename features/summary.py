"""Sums up a cohort."""

from __future__ import annotations

from typing import Any

from contracts.cohort import CODE, SUBJECT, Cohort
from contracts.vocabulary import Kind, vocabulary


def summarise(cohort: Cohort) -> dict[str, Any]:
    """Return a cohort's origin, size, codes and missing facts, ready for JSON."""
    events = cohort.events
    subjects = int(events[SUBJECT].nunique())
    counts = events[CODE].value_counts()
    words = vocabulary()
    facts = [code for code, entry in words.items() if entry.kind is Kind.PERSON]
    return {
        "name": cohort.provenance.name,
        "source": cohort.provenance.source,
        "simulated": cohort.provenance.simulated,
        "digest": cohort.digest,
        "subjects": subjects,
        "events": len(events),
        "codes": [
            {
                "code": code,
                "name": words[code].name,
                "unit": words[code].unit,
                "events": int(counts[code]),
            }
            for code in words
            if code in counts.index
        ],
        "not_recorded": {words[code].name: subjects - int(counts.get(code, 0)) for code in facts},
    }
