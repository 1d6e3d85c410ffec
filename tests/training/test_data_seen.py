"""What a training was given: what changed since, in numbers that name nobody."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME, Cohort, Provenance
from training.data_seen import changes_since, data_seen, seal_seen, unseal_seen

KEY = os.urandom(32)
SCORE = "REHABCAST//FUGL_MEYER_UE"


def cohort(people: int, *, first: int = 0, score: float = 30.0, visits: int = 1) -> Cohort:
    rows = []
    for subject in range(first, first + people):
        start = pd.Timestamp("2024-01-01")
        rows += [(subject, start, code, np.nan, None) for code in (ONSET, ENROLMENT)]
        rows += [
            (subject, start + pd.Timedelta(days=7 * n), SCORE, score, None) for n in range(visits)
        ]
    events = pd.DataFrame(rows, columns=[SUBJECT, TIME, CODE, NUMBER, TEXT])
    provenance = Provenance(name="SIMULATED", source="test", simulated=True)
    return Cohort(events=events, provenance=provenance, digest="")


def seen(*parts: Cohort) -> dict[str, dict[str, str]]:
    return {token: own for part in parts for token, own in data_seen(part, KEY).items()}


def test_who_came_was_corrected_and_left_is_counted() -> None:
    before = seen(cohort(20), cohort(30, first=100), cohort(40, first=200))
    now = seen(cohort(20, score=31), cohort(40, first=200, visits=2), cohort(50, first=300))
    changes = changes_since("arm/1", before, now)
    assert (changes.people_new, changes.people_corrected, changes.people_gone) == (
        "at least 50", "at least 20", "at least 30",
    )  # fmt: skip
    assert (changes.scores_new, changes.scores_corrected, changes.scores_gone) == (
        "at least 90", "at least 20", "at least 30",
    )  # fmt: skip


@pytest.mark.parametrize("visits", [1, 40])
@given(few=st.integers(1, 10))
def test_numbers_about_few_people_are_not_shown(visits: int, few: int) -> None:
    before = seen(cohort(50))
    changes = changes_since("arm/1", before, seen(cohort(50), cohort(few, first=90, visits=visits)))
    assert changes.people_new == "fewer than 11"
    assert changes.scores_new == "of fewer than 11 people"
    assert changes.people_gone == changes.scores_gone == "none"


def test_only_the_key_opens_what_was_given() -> None:
    given_ = seen(cohort(3))
    sealed = seal_seen(given_, KEY)
    assert unseal_seen(sealed, KEY) == given_
    assert unseal_seen(sealed, os.urandom(32)) is None
    assert not any(token.encode() in sealed for token in given_)
