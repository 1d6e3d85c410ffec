"""Recognises people across cuts of the same data, whatever their number, dates or files are.

A record is taken apart into tokens that no enrolment, onset or numbering enters: the facts of the
person, near scores with the days between them, daily values. What two records share counts by how
rare it is (as in record linkage, Fellegi and Sunter 1969). The thresholds below are local.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log2

import numpy as np

from contracts.cohort import CODE, NUMBER, SUBJECT, TEXT, TIME, Cohort
from contracts.predictions import Overlap, Relation
from contracts.vocabulary import Kind, vocabulary

KEPT = 32
"""Tokens of daily values that are kept of a person: a sample by hash, alike for equal records."""

BITS_TO_SPARE = 7
"""A match needs so many bits more than it takes to number the people trained on: of a hundred new
people less than one is then taken for another whose record is like theirs by chance."""

LEAST_FACTS, LEAST_COURSE = 0.75, 0.5
"""Shares of the smaller record that must be in the other: some may be left out or corrected, and one
fact always."""

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
    kinds = {code: words[code].kind for code in events[CODE].unique()}
    people = {}
    for subject, rows in events.groupby(SUBJECT, sort=True):
        facts, daily, scores = set[str](), set[str](), defaultdict[str, list[tuple[int, str]]](list)
        columns = (rows[name].to_numpy() for name in (CODE, NUMBER, TEXT))
        day_N = rows[TIME].to_numpy().astype("datetime64[D]")
        for code, number, text, day in zip(*columns, day_N, strict=True):
            value = f"{number:.3g}" if not np.isnan(number) else str(text)
            if kinds[code] is Kind.PERSON:
                facts.add(f"{code} {value}")
            elif kinds[code] is Kind.DAILY:
                daily.add(f"{code} {value}")
            elif kinds[code] is Kind.ASSESSMENT:
                scores[code].append((int(day.astype(int)), value))
        days = _tokens(daily, key)
        people[int(str(subject))] = Person(
            relation=relations[int(str(subject))],
            identifier=_token(cohort.labels[int(str(subject))], key) if cohort.labels else 0,
            facts=_tokens(facts, key),
            scores=_tokens(_changes(scores), key),
            days=frozenset(sorted(days)[:KEPT]) if sample else days,
            length=len(days),
        )
    return people


def _changes(scores: Mapping[str, list[tuple[int, str]]]) -> Iterable[str]:
    for code, dated in scores.items():
        in_order = sorted(dated)
        for place, (day, value) in enumerate(in_order):
            yield f"{code} {value}"
            for later, then in in_order[place + 1 : place + 1 + NEAR_SCORES]:
                yield f"{code} {value} {later - day} {then}"


def _tokens(texts: Iterable[str], key: bytes) -> frozenset[int]:
    return frozenset(_token(text, key) for text in texts)


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
