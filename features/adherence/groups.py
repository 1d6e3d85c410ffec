"""How much and how well groups of people exercise at home; nothing is said of few of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from contracts.cohort import CODE, NUMBER, SUBJECT, TIME
from contracts.exercise import codes
from contracts.groups import MINIMUM_SHOWN, rounded_people
from contracts.task import Task
from contracts.vocabulary import Kind, vocabulary
from features.past.groups import person_group


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupExercise:
    """The exercise of a group.

    Parameters
    ----------
    attribute, group
        Whose: a sensitive attribute of a task, and a label of it.
    people
        With exercise on record, rounded down; None where they are fewer than 11.
    adherence, quality
        Median over people of each one's mean; None where fewer than 11 have any.
    """

    attribute: str
    group: str
    people: int | None
    adherence: float | None
    quality: float | None


def exercise_by_group(events: pd.DataFrame, task: Task) -> tuple[GroupExercise, ...]:
    """Return adherence and quality by the sensitive attributes of a task that are of the person.

    Medians of groups without a median of everybody: no difference of two tells of few people.
    """
    of_exercise = events[events[CODE].isin([codes.ADHERENCE, codes.QUALITY])]
    mean = of_exercise.groupby([SUBJECT, of_exercise[CODE].astype(str)])[NUMBER].mean().unstack()
    mean = mean.reindex(columns=[codes.ADHERENCE, codes.QUALITY])
    subjects_P = mean.index.to_numpy(dtype=np.int64)
    facts = events[events[TIME].isna()]
    return tuple(
        _group(attribute.name, str(label), part)
        for attribute in task.sensitive
        if vocabulary()[attribute.code].kind is Kind.PERSON
        for label, part in mean.groupby(person_group(facts, subjects_P, attribute))
    )


def _group(attribute: str, label: str, mean: pd.DataFrame) -> GroupExercise:
    return GroupExercise(
        attribute=attribute, group=label, people=rounded_people(len(mean)),
        adherence=_median(mean[codes.ADHERENCE]), quality=_median(mean[codes.QUALITY]),
    )  # fmt: skip


def _median(values: pd.Series) -> float | None:
    known = values.dropna()
    return round(float(known.median()), 2) if len(known) >= MINIMUM_SHOWN else None
