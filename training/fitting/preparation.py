"""What a cohort has for a task, told before anything is fitted: people, groups, outcomes.

A model learns from what is there, and an audit judges what is there: a horizon that nobody reached,
or an attribute with one group, would otherwise be noticed when the report lacks it.

Letters: B pairs, H horizons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import meds
import numpy as np
from numpy.typing import NDArray

from contracts.cohort import Cohort
from contracts.errors import ContractError
from contracts.groups import bands_of
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import NOT_RECORDED
from features.sequences import training_sequences
from inference.milestones import assessed, reached
from inference.similar import LEAST_OUTCOMES
from training.fitting.config import TrainingConfig
from training.fitting.leaks import check_target_leakage
from training.split import Parts, parts_of

MINIMUM_SUBJECTS = LEAST_OUTCOMES
"""Fewer give no forecast at any horizon. So few are enough to run all steps, but not to learn from
wearable days, nor to pass an audit; their ranges are as wide as so few allow."""


class Lack(StrEnum):
    """What a cohort does not have for a task."""

    NOT_RECORDED = "nobody recorded it"
    ONE_GROUP = "everybody is in one group"
    EMPTY_BAND = "nobody is in this band"
    NO_OUTCOME = "no outcome"
    FEW_OUTCOMES = "too few people with an outcome: no forecast"
    NO_FORECAST = "no forecast on this day has an outcome"
    ONE_ANSWER = "all or none reached it"


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortNote:
    """One thing of a task that its cohort cannot fill.

    Parameters
    ----------
    field, name
        Field of the task file, and which of its entries: an attribute, a day, a milestone.
    lack, group
        What is lacking; of an attribute the group that it is about, if it is about one.
    people, of_people
        How many people have it, and of how many.
    """

    field: str
    name: str
    lack: Lack
    group: str = ""
    people: int
    of_people: int

    def __str__(self) -> str:
        what = f"{self.lack} ({self.group})" if self.group else str(self.lack)
        return f"{self.field} {self.name}: {what}, {self.people} of {self.of_people} people"


def training_parts(cohort: Cohort, task: Task, config: TrainingConfig) -> Parts:
    """Return a cohort's pairs as training uses them, its declared splits respected.

    Whoever trains, searches or compares asks here, so here a leak is refused.

    Raises
    ------
    ContractError
        There are more folds than people.
    IntegrityError
        An input knows the outcome (`training.fitting.leaks`).
    """
    unseen = [s for s, split in cohort.splits.items() if split == meds.held_out_split]
    parts = parts_of(
        training_sequences(cohort.events, task, unseen=unseen),
        cohort.splits,
        folds=config.folds,
        held_out_share=config.held_out_share,
        seed=config.seed,
    )
    # Too few for any training are refused as that (`require_enough`).
    if MINIMUM_SUBJECTS <= (people := _people(parts.train)) < config.folds:
        raise ContractError(
            f"training parameters: {config.folds} folds, but {people} people to train on",
            "set folds to fewer than there are people, or hold fewer people out",
        )
    check_target_leakage(parts.train)
    return parts


def require_enough(people: int) -> None:
    """Refuse too few people to train on.

    Raises
    ------
    ContractError
        They are fewer than `MINIMUM_SUBJECTS`.
    """
    if people < MINIMUM_SUBJECTS:
        raise ContractError(
            f"{people} subjects to train on have a score at an origin and one at a horizon,"
            f" but training needs at least {MINIMUM_SUBJECTS}",
            "add subjects to the cohort, or check the task's target, origins and horizons, and the"
            " splits that the cohort declares",
        )


def comparable(batch: SequenceBatch, task: Task) -> Task:
    """Return a task with only those horizons at which families can be compared: who is forecast.

    The primary horizon becomes the nearest of them where it is none.

    Raises
    ------
    ContractError
        There are fewer than `MINIMUM_SUBJECTS`, or too few with an outcome at every horizon.
    """
    require_enough(_people(batch))
    require_horizon(batch, task)
    lacking = {Lack.NO_OUTCOME, Lack.FEW_OUTCOMES}
    left_out = {note.name for note in _days(batch, task) if note.lack in lacking}
    kept = tuple(horizon for horizon in task.horizons if f"week {horizon.weeks}" not in left_out)
    if len(kept) == len(task.horizons):
        return task
    primary = min(kept, key=lambda horizon: abs(horizon.weeks - task.primary_horizon_weeks))
    return task.model_copy(update={"horizons": kept, "primary_horizon_weeks": primary.weeks})


def require_horizon(batch: SequenceBatch, task: Task) -> None:
    """Make sure that there is a horizon with enough people to forecast (`inference.similar`).

    Raises
    ------
    ContractError
        There is none.
    """
    lacking = {Lack.NO_OUTCOME, Lack.FEW_OUTCOMES}
    notes = [note for note in cohort_notes(batch, task) if note.lack in lacking]
    if len(notes) == len(task.horizons):
        raise ContractError(
            f"at no horizon do {LEAST_OUTCOMES} people to train on have an outcome, so there would"
            " be no forecast at any",
            "add people who were assessed then, or change the horizons of the task file",
        )


def cohort_notes(batch: SequenceBatch, task: Task) -> tuple[CohortNote, ...]:
    """Return what these pairs cannot fill of a task."""
    return (*_attributes(batch, task), *_days(batch, task), *_milestones(batch, task))


def _people(batch: SequenceBatch, rows_B: NDArray[np.bool_] | None = None) -> int:
    return len(np.unique(batch.subject_B if rows_B is None else batch.subject_B[rows_B]))


def _attributes(batch: SequenceBatch, task: Task) -> Iterator[CohortNote]:
    everyone = _people(batch)
    for attribute in task.sensitive:
        label_B = batch.groups_B[attribute.name].to_numpy(dtype=object)
        labels = sorted(set(label_B))
        if len(labels) == 1:
            unrecorded = labels[0] == NOT_RECORDED
            yield CohortNote(
                field="sensitive",
                name=attribute.name,
                lack=Lack.NOT_RECORDED if unrecorded else Lack.ONE_GROUP,
                group="" if unrecorded else labels[0],
                people=0 if unrecorded else everyone,
                of_people=everyone,
            )
            continue
        bands = bands_of(attribute)
        for label in () if bands is None else bands.labels[: len(bands.edges) + 1]:
            if label not in labels:
                yield CohortNote(
                    field="sensitive",
                    name=attribute.name,
                    lack=Lack.EMPTY_BAND,
                    group=label,
                    people=0,
                    of_people=everyone,
                )


def _days(batch: SequenceBatch, task: Task) -> Iterator[CohortNote]:
    everyone = _people(batch)
    observed_BH = ~np.isnan(batch.truth_BH)
    for h, horizon in enumerate(task.horizons):
        people = _people(batch, observed_BH[:, h])
        if people < LEAST_OUTCOMES:
            yield CohortNote(
                field="horizons",
                name=f"week {horizon.weeks}",
                lack=Lack.FEW_OUTCOMES if people else Lack.NO_OUTCOME,
                people=people,
                of_people=everyone,
            )
    for day in sorted(set(task.origins_days) - set(batch.origin_day_B.tolist())):
        yield CohortNote(
            field="origins_days",
            name=f"day {day}",
            lack=Lack.NO_FORECAST,
            people=0,
            of_people=everyone,
        )


def _milestones(batch: SequenceBatch, task: Task) -> Iterator[CohortNote]:
    observed_BH = ~np.isnan(batch.truth_BH)
    was = reached(batch.truth_BH, batch.last_score_B, task, assessed_B=assessed(batch, task))
    for name, reached_BH in was.items():
        answers = reached_BH[observed_BH]
        if len(answers) and (answers.all() or not answers.any()):
            yield CohortNote(
                field="milestones",
                name=name,
                lack=Lack.ONE_ANSWER,
                people=_people(batch, np.asarray((reached_BH & observed_BH).any(axis=1))),
                of_people=_people(batch, np.asarray(observed_BH.any(axis=1))),
            )
