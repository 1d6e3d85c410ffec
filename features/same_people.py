"""Recognises people across cuts of the same data, whatever their number, dates or files are.

A record is taken apart into tokens that no enrolment, onset or numbering enters: the facts of the
person, near scores with the days between them, daily values. What two records share counts by how
rare it is (as in record linkage, Fellegi and Sunter 1969). The thresholds below are local.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import log2

import numpy as np
import pandas as pd

from contracts.cohort import CODE, NUMBER, SUBJECT, TEXT, TIME, Cohort
from contracts.predictions import Overlap, Relation
from contracts.vocabulary import Kind, vocabulary

KEPT = 32
"""Tokens of daily values that are kept of a person: a sample by hash, alike for equal records."""

BITS_TO_SPARE = 7
"""A match needs so many bits more than it takes to number the people trained on: of a hundred new
people less than one is then taken for another whose record is like theirs by chance."""

LEAST_FACTS, LEAST_COURSE = 0.75, 0.5
"""Shares of the smaller record that must be in the other: some may be left out or corrected, and
one fact always."""

NEAR_SCORES = 3
"""Scores that are so many assessments apart are told together, so that one may be left out."""

RARE = 0.02
"""Only people who share a token rarer than this are compared at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What recognises a person: tokens of the identifier, the facts, the scores and the days.

    `days` may be a sample of the tokens of the daily values, of which there are `length`.
    """

    relation: Relation
    identifier: int
    facts: frozenset[int]
    scores: frozenset[int]
    days: frozenset[int]
    length: int

    @property
    def tokens(self) -> frozenset[int]:
        """All tokens of the record."""
        return self.facts | self.scores | self.days


def people_of(
    cohort: Cohort, relations: Mapping[int, Relation], key: bytes, *, sample: bool
) -> dict[int, Person]:
    """Return the tokens of a cohort's people; those without a relation are left out.

    Parameters
    ----------
    key
        Secret, without which nobody can tell which fact a token stands for.
    sample
        Keep `KEPT` tokens of each person's days only.
    """
    words = vocabulary()
    events = cohort.events[cohort.events[SUBJECT].isin(list(relations))]
    kind_N = events[CODE].astype(object).map({code: entry.kind for code, entry in words.items()})
    of_kind = {
        kind: _values(events[(kind_N == kind).to_numpy()])
        for kind in (Kind.PERSON, Kind.ASSESSMENT, Kind.DAILY)
    }
    facts, days = (_token_sets(of_kind[kind], key) for kind in (Kind.PERSON, Kind.DAILY))
    scores = _changes(of_kind[Kind.ASSESSMENT])
    people = {}
    for subject in sorted(set(events[SUBJECT].tolist())):
        daily = days.get(subject, frozenset())
        people[subject] = Person(
            relation=relations[subject],
            identifier=_token(cohort.labels[subject], key) if cohort.labels else 0,
            facts=facts.get(subject, frozenset()),
            scores=frozenset(_token(text, key) for text in scores[subject]),
            days=frozenset(sorted(daily)[:KEPT]) if sample else daily,
            length=len(daily),
        )
    return people


def _values(events: pd.DataFrame) -> pd.DataFrame:
    """Return subject, day, code and value of each event, the value as text to three digits."""
    number_N = events[NUMBER].to_numpy(dtype=np.float64)
    places, distinct = pd.factorize(number_N)
    texts = np.array([f"{number:.3g}" for number in distinct], dtype=object)
    is_number = places >= 0
    value_N = events[TEXT].to_numpy(dtype=object).copy()
    value_N[is_number] = texts[places[is_number]]
    return pd.DataFrame(
        {
            SUBJECT: events[SUBJECT].to_numpy(),
            "day": events[TIME].to_numpy().astype("datetime64[D]").astype(np.int64),
            CODE: events[CODE].astype(object).to_numpy(),
            "value": value_N,
        }
    )


def _token_sets(values: pd.DataFrame, key: bytes) -> dict[int, frozenset[int]]:
    """Return the tokens of each subject's values, whatever their day."""
    distinct = values[[SUBJECT, CODE, "value"]].drop_duplicates()
    # A value that many have is hashed once.
    pairs = distinct[[CODE, "value"]].drop_duplicates()
    tokens = {
        (code, value): _token(f"{code} {value}", key)
        for code, value in zip(pairs[CODE], pairs["value"], strict=True)
    }
    found: dict[int, set[int]] = defaultdict(set)
    for subject, code, value in zip(
        distinct[SUBJECT].tolist(), distinct[CODE], distinct["value"], strict=True
    ):
        found[subject].add(tokens[code, value])
    return {subject: frozenset(own) for subject, own in found.items()}


def _changes(scores: pd.DataFrame) -> dict[int, set[str]]:
    """Return each subject's scores, and near ones together with the days between them."""
    found: dict[int, set[str]] = defaultdict(set)
    ordered = scores.sort_values([SUBJECT, CODE, "day"])
    for _, rows in ordered.groupby([SUBJECT, CODE], sort=False):
        subject, code = int(rows[SUBJECT].iloc[0]), rows[CODE].iloc[0]
        dated = list(zip(rows["day"].tolist(), rows["value"], strict=True))
        for place, (day, value) in enumerate(dated):
            found[subject].add(f"{code} {value}")
            for later, then in dated[place + 1 : place + 1 + NEAR_SCORES]:
                found[subject].add(f"{code} {value} {later - day} {then}")
    return found


def _token(text: str, key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), key=key, digest_size=7).digest(), "big")


def relations_of(
    seen: tuple[Person, ...], people: Mapping[int, Person]
) -> tuple[dict[int, Relation], Overlap]:
    """Return what each person is to a model, and how many there are of each.

    Parameters
    ----------
    seen
        Whom the model was trained on, or whom training held out.
    people
        Whom to compare, with all their days.
    """
    total = len(seen) + len(people)
    counts = Counter(t for p in (*seen, *people.values()) for t in p.tokens)
    bits = {token: log2(total / count) for token, count in counts.items()}
    enough = log2(max(len(seen), 1)) + BITS_TO_SPARE
    having = defaultdict[int, list[int]](list)
    for place, person in enumerate(seen):
        for token in (*person.tokens, person.identifier):
            having[token].append(place)
    most = max(20, round(RARE * len(seen)))
    relations: dict[int, Relation] = {}
    same_identifier = 0
    for subject, person in people.items():
        own = (*person.tokens, *((person.identifier,) if person.identifier else ()))
        near = {place for t in own if len(having.get(t, ())) <= most for place in having.get(t, ())}
        found = {seen[p].relation for p in near if _is_same(seen[p], person, bits, enough)}
        if found:
            trained = Relation.TRAINED_ON in found
            relations[subject] = Relation.TRAINED_ON if trained else Relation.HELD_OUT
        elif sum(bits[token] for token in person.tokens) < enough:
            relations[subject] = Relation.NOT_KNOWN
        else:
            relations[subject] = Relation.NEW
            known = person.identifier and having.get(person.identifier)
            same_identifier += bool(known)
    of = Counter(relations.values())
    return relations, Overlap(
        known=True,
        people=len(people),
        trained_on=of[Relation.TRAINED_ON],
        held_out=of[Relation.HELD_OUT],
        new=of[Relation.NEW],
        not_known=of[Relation.NOT_KNOWN],
        same_identifier=same_identifier,
    )


def _is_same(seen: Person, person: Person, bits: Mapping[int, float], enough: float) -> bool:
    facts, scores, days = (
        getattr(seen, name) & getattr(person, name) for name in ("facts", "scores", "days")
    )
    fewer = min(len(seen.facts), len(person.facts))
    if len(facts) < min(LEAST_FACTS * fewer, fewer - 1):
        return False
    if len(scores) < LEAST_COURSE * min(len(seen.scores), len(person.scores)):
        return False
    if seen.days and person.days:
        # The sample stands for all days.
        shared = len(days) / len(seen.days) * seen.length
        if shared < LEAST_COURSE * min(seen.length, person.length):
            return False
    named = seen.identifier != 0 and seen.identifier == person.identifier
    needed = BITS_TO_SPARE if named else enough
    return sum(bits[token] for token in facts | scores | days) >= needed
