"""Whom a training has seen: sealed into the bundle, so that a later cohort's overlap is known."""

from __future__ import annotations

import meds

from contracts.cohort import SUBJECT, Cohort
from contracts.predictions import Relation
from features.same_people import people_of
from inference.people import seal, token_key
from training.split import HELD_OUT, Parts


def sealed_people(cohort: Cohort, parts: Parts, pretrain_on: Cohort | None, key: bytes) -> bytes:
    """Return everybody whom training has seen or held out, sealed."""
    names = {HELD_OUT: Relation.HELD_OUT}
    relations = {s: names.get(fold, Relation.TRAINED_ON) for s, fold in parts.fold_of.items()}
    people = list(people_of(cohort, relations, token_key(key), sample=True).values())
    if pretrain_on is not None:
        subjects = pretrain_on.events[SUBJECT].unique().tolist()
        others = {
            subject: Relation.TRAINED_ON
            for subject in subjects
            if pretrain_on.splits.get(subject) != meds.held_out_split
        }
        people += people_of(pretrain_on, others, token_key(key), sample=True).values()
    return seal(people, key)
