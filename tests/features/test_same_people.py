"""People are recognised by their records, whatever their number, dates and files are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, ENROLMENT, SUBJECT, TIME, Cohort, Provenance
from contracts.predictions import Overlap, Relation, Validation
from features.same_people import people_of, relations_of
from inference.people import seal, token_key, unseal
from tests.conftest import made_up_events

KEY = bytes(range(32))
TOKENS = token_key(KEY)


def cohort_of(events: pd.DataFrame, labels: dict[int, str] | None = None) -> Cohort:
    provenance = Provenance(name="made up", source="test", simulated=True)
    return Cohort(events=events, provenance=provenance, digest="0", labels=labels or {})


def overlap(trained: Cohort, other: Cohort) -> Overlap:
    seen = people_of(
        trained, dict.fromkeys(trained.events[SUBJECT], Relation.TRAINED_ON), TOKENS, sample=True
    )
    people = people_of(
        other, dict.fromkeys(other.events[SUBJECT], Relation.NOT_KNOWN), TOKENS, sample=False
    )
    return relations_of(tuple(seen.values()), people)[1]


def first_half(events: pd.DataFrame) -> pd.DataFrame:
    enrolled = events[events[CODE] == ENROLMENT].set_index(SUBJECT)[TIME]
    days = (events[TIME] - events[SUBJECT].map(enrolled)).dt.days
    return events[events[TIME].isna() | (days <= 21)]


def later_enrolment(events: pd.DataFrame) -> pd.DataFrame:
    moved = (events[CODE] == ENROLMENT).to_numpy()
    return events.assign(**{TIME: events[TIME].where(~moved, events[TIME] + pd.Timedelta(days=9))})


CUTS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "the same": lambda e: e,
    "renumbered": lambda e: e.assign(**{SUBJECT: 9_000 - e[SUBJECT]}),
    "dates shifted": lambda e: e.assign(**{TIME: e[TIME] + pd.Timedelta(days=1234)}),
    "the first half of each": first_half,
    "without the wearable": lambda e: e[~e[CODE].isin(["LOINC//41950-7", "REHABCAST//WEAR_TIME"])],
    "without sex": lambda e: e[e[CODE] != "REHABCAST//SEX"],
    "enrolled later": later_enrolment,
    "another site's name": lambda e: e.replace({"text_value": {"A": "North"}}),
    "without the second of the scores": lambda e: e.drop(
        e[e[CODE] == "REHABCAST//FUGL_MEYER_UE"].groupby(SUBJECT).nth(1).index
    ),
    "one person": lambda e: e[e[SUBJECT] == 7],
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_of_the_training_people_is_no_external_cohort(events: pd.DataFrame, cut: str) -> None:
    found = overlap(cohort_of(events), cohort_of(CUTS[cut](events)))
    assert found.trained_on + found.not_known >= 0.95 * found.people, found
    assert found.trained_on >= 0.9 * found.people, found
    assert found.validation is Validation.NONE


def test_other_people_are_new_and_a_mixture_is_counted(events: pd.DataFrame) -> None:
    others = made_up_events(60, seed=2)
    alone = overlap(cohort_of(events), cohort_of(others))
    assert alone.trained_on == 0
    assert alone.validation is Validation.EXTERNAL
    some = events[events[SUBJECT] <= 20].assign(**{SUBJECT: lambda e: e[SUBJECT] + 500})
    mixed = overlap(cohort_of(events), cohort_of(pd.concat([others, some], ignore_index=True)))
    assert (mixed.trained_on, mixed.people, mixed.share) == (20, 80, 0.25)
    assert mixed.validation is Validation.EXTERNAL


def test_the_same_identifiers_of_other_people_are_told_and_leave_nobody_out(
    events: pd.DataFrame,
) -> None:
    labels = {number: f"P{number:03}" for number in range(1, 61)}
    others = made_up_events(60, seed=2)
    found = overlap(cohort_of(events, labels), cohort_of(others, labels))
    assert found.same_identifier >= 55
    assert found.validation is Validation.EXTERNAL


def test_an_identifier_lets_a_little_of_a_record_be_enough(events: pd.DataFrame) -> None:
    labels = {number: f"P{number:03}" for number in range(1, 61)}
    few = events[events[TIME].isna() | events[CODE].isin([ENROLMENT, "REHABCAST//FUGL_MEYER_UE"])]
    few = few.groupby(SUBJECT).head(5)
    unnamed = overlap(cohort_of(events), cohort_of(few))
    named = overlap(cohort_of(events, labels), cohort_of(few, labels))
    assert named.trained_on >= unnamed.trained_on
    assert unnamed.trained_on + unnamed.not_known >= 0.9 * unnamed.people


def test_a_record_that_says_too_little_is_not_known_and_never_new(events: pd.DataFrame) -> None:
    bare = events[events[CODE].isin(["REHABCAST//SEX", ENROLMENT])]
    found = overlap(cohort_of(events), cohort_of(bare))
    assert found.not_known == found.people
    assert found.validation is Validation.NOT_KNOWN


def test_a_sealed_list_tells_nothing_without_its_key(events: pd.DataFrame) -> None:
    labels = {number: f"MRN-{number}" for number in range(1, 61)}
    people = people_of(
        cohort_of(events, labels),
        dict.fromkeys(range(1, 61), Relation.HELD_OUT),
        TOKENS,
        sample=True,
    )
    sealed = seal(people.values(), KEY)
    opened = unseal(sealed, KEY)
    assert opened is not None
    assert set(opened) == set(people.values())
    assert unseal(sealed, KEY[::-1]) is None
    assert unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), KEY) is None
    assert b"MRN" not in sealed
    assert sealed != seal(people.values(), KEY)
    tokens = np.array([token for person in people.values() for token in person.facts])
    other = people_of(
        cohort_of(events), dict.fromkeys(range(1, 61), Relation.NEW), KEY, sample=True
    )
    assert not set(tokens.tolist()) & {t for p in other.values() for t in p.facts}
