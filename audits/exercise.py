"""The audit of a recogniser of exercises, from a table of answers about people left out.

A row a set and movement: who, by which attributes they are compared, the side, how they moved, and
whether the set got its name. A share's interval is of 95 %, over people (bootstrap), as sets of one
person are alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from contracts.exercise.recogniser_audit import GroupAccuracy
from contracts.groups import MINIMUM_SHOWN, rounded_people

PERSON, SIDE, MOVEMENT, RIGHT = "person", "side", "movement", "right"
AS_RECORDED = "as recorded"
EVERYBODY = "everybody"
REPLICATES = 2_000


def accuracy_by_group(
    answers: pd.DataFrame, attributes: Sequence[str] = ()
) -> tuple[GroupAccuracy, ...]:
    """Return the accuracy of everybody, by side, by movement, and by attributes of the person.

    Groups of the person of fewer than 11 people are held back, and numbers of them are rounded
    down. Sides and movements are everybody's: they tell nothing of a few.
    """
    recorded = answers[answers[MOVEMENT] == AS_RECORDED]
    return (
        _of_everybody(EVERYBODY, EVERYBODY, recorded),
        *(_of_everybody(SIDE, str(side), part) for side, part in recorded.groupby(SIDE)),
        *(_of_everybody(MOVEMENT, str(name), part)
          for name, part in answers.groupby(MOVEMENT, sort=False)),
        *(row for attribute in attributes for row in _of_attribute(attribute, recorded)),
    )  # fmt: skip


def _of_attribute(attribute: str, recorded: pd.DataFrame) -> Iterator[GroupAccuracy]:
    for label, part in recorded.groupby(attribute):
        people = part[PERSON].nunique()
        row = _of_everybody(attribute, str(label), part)
        yield (
            GroupAccuracy(
                attribute=attribute, group=str(label), people=rounded_people(people),
                right=row.right, low=row.low, high=row.high,
            )
            if people >= MINIMUM_SHOWN
            else GroupAccuracy(
                attribute=attribute, group=str(label), people=None, right=None, low=None, high=None
            )
        )  # fmt: skip


def _of_everybody(attribute: str, group: str, part: pd.DataFrame) -> GroupAccuracy:
    by_person = part.groupby(PERSON)[RIGHT].agg(["sum", "count"]).to_numpy(dtype=np.float64)
    drawn = np.random.default_rng(0).integers(len(by_person), size=(REPLICATES, len(by_person)))
    sums = by_person[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    right, count = by_person.sum(axis=0)
    return GroupAccuracy(
        attribute=attribute, group=group, people=len(by_person), right=float(right / count),
        low=float(low), high=float(high),
    )  # fmt: skip
