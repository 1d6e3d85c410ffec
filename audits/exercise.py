"""The audit of a recogniser of exercises, from a table of answers about people left out.

A row a set and movement: who, by which attributes they are compared, the side, how they moved, and
whether the set got its name. A share's interval is of 95 %, over people (bootstrap), as sets of one
person are alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from contracts.exercise.recogniser_audit import GroupAccuracy
from contracts.groups import is_few, rounded_people

PERSON, SIDE, MOVEMENT, RIGHT = "person", "side", "movement", "right"
AS_RECORDED = "as recorded"
EVERYBODY = "everybody"
REPLICATES = 2_000


def accuracy_by_group(
    answers: pd.DataFrame, attributes: Sequence[str] = ()
) -> tuple[GroupAccuracy, ...]:
    """Return the accuracy of everybody, by side, by movement, and by attributes of the person.

    What is of everybody is shown. Of others groups of fewer than 11 people are held back, and all
    of an attribute where everybody less those that are shown would tell of so few.
    """
    recorded = answers[answers[MOVEMENT] == AS_RECORDED]
    return (
        _accuracy(EVERYBODY, EVERYBODY, recorded),
        *(row for attribute in (SIDE, *attributes) for row in _of_attribute(attribute, recorded)),
        *(_accuracy(MOVEMENT, str(name), part)
          for name, part in answers.groupby(MOVEMENT, sort=False)),
    )  # fmt: skip


def _of_attribute(attribute: str, recorded: pd.DataFrame) -> Iterator[GroupAccuracy]:
    parts = {str(label): part for label, part in recorded.groupby(attribute)}
    people = {label: part[PERSON].nunique() for label, part in parts.items()}
    everybody = recorded[PERSON].nunique()
    few = {label for label, count in people.items() if is_few(count) and count < everybody}
    if is_few(recorded[recorded[attribute].astype(str).isin(few)][PERSON].nunique()):
        few = set(parts)
    for label, part in parts.items():
        if label in few:
            yield GroupAccuracy(
                attribute=attribute, group=label, people=None, right=None, low=None, high=None
            )
            continue
        row = _accuracy(attribute, label, part)
        of_everybody = people[label] == everybody
        shown = people[label] if of_everybody else rounded_people(people[label])
        yield replace(row, people=shown)


def _accuracy(attribute: str, group: str, part: pd.DataFrame) -> GroupAccuracy:
    by_person = part.groupby(PERSON)[RIGHT].agg(["sum", "count"]).to_numpy(dtype=np.float64)
    drawn = np.random.default_rng(0).integers(len(by_person), size=(REPLICATES, len(by_person)))
    sums = by_person[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    right, count = by_person.sum(axis=0)
    return GroupAccuracy(
        attribute=attribute, group=group, people=len(by_person), right=float(right / count),
        low=float(low), high=float(high),
    )  # fmt: skip
