"""What an audit judges a training by: out-of-fold forecasts, and what people would ask.

Letters: B pairs of subject and origin, H horizons.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from contracts.cohort import Cohort
from contracts.predictions import CANDIDATE, FOLD, HORIZON, SUBJECT
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.newest import newest_day
from inference.out_of_distribution import (
    fit_reference,
    is_out_of_distribution,
    is_out_of_distribution_out_of_fold,
)
from inference.refusals import groups_in, refusals
from inference.similar import given_if_unseen, nobody_alike
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import CrossFit
from training.models.bedside_rules import last_observation, proportional_recovery
from training.models.boosted import boosted_quantiles
from training.models.stack import out_of_fold
from training.predictions import prediction_table, with_questions, with_refusals
from training.split import HELD_OUT, fold_of_rows, fold_of_subjects

COMPARATORS = {
    "last observation": last_observation,
    "proportional recovery": proportional_recovery,
    "boosted quantiles": boosted_quantiles,
}


def out_of_fold_table(
    batch: SequenceBatch,
    records: SequenceBatch,
    task: Task,
    config: TrainingConfig,
    fitted: CrossFit,
    advance: Callable[[str], None],
) -> pd.DataFrame:
    """Return the forecasts of the candidate and the comparators, and which would be refused."""
    tables = [
        prediction_table(
            batch, fitted.out_of_fold_BHQ, task, model=CANDIDATE, stated=fitted.out_of_fold_chances
        )
    ]
    for name, fit in COMPARATORS.items():
        quantiles_BHQ = out_of_fold(fit, batch, task, config.folds, seed=config.seed)
        tables.append(prediction_table(batch, quantiles_BHQ, task, model=name))
        advance(name)
    table = pd.concat(tables, ignore_index=True)
    fold_of = fold_of_subjects(batch.subject_B, config.folds, 0.0, seed=config.seed)
    refused_B = is_out_of_distribution_out_of_fold(
        batch,
        fold_of_rows(batch.subject_B, fold_of),
        records,
        fold_of_rows(records.subject_B, fold_of),
    )
    given_BH = fitted.out_of_fold_given_BH
    refusal_B = refusals(
        batch.groups_B,
        task,
        groups_in(batch.groups_B),
        refused_B,
        few_alike_B=nobody_alike(given_BH),
    )
    # Nothing is judged that nobody would ever be given.
    table = table[table[HORIZON].isin(served_days(fitted, task))]
    table = with_refusals(table, batch, refused_B, refusal_B, given_BH)
    return table.assign(**{FOLD: table[SUBJECT].map(fold_of)})


def served_days(fitted: CrossFit, task: Task) -> list[int]:
    """Return the days of the horizons that have enough people to forecast for anybody."""
    served_H = fitted.calibration.seen.served_H
    return [h.day for h, served in zip(task.horizons, served_H, strict=True) if served]


def questions_with(
    table: pd.DataFrame,
    cohort: Cohort,
    batch: SequenceBatch,
    records: SequenceBatch,
    task: Task,
    config: TrainingConfig,
) -> pd.DataFrame:
    """Append whom of the whole cohort the service would refuse on the newest day with data.

    As with forecasts, nobody's own record is in what it is compared with. People alike are counted
    among everybody else, as for a new patient of a ward; whether a record is unlike all is asked of
    the other folds, and of people in no fold of all.
    """
    asked = newest_day(cohort.events, task, batch.layout)
    fold_of = fold_of_subjects(batch.subject_B, config.folds, 0.0, seed=config.seed)
    fold_B = fold_of_rows(records.subject_B, fold_of)
    asked_fold_B = np.array([fold_of.get(int(s), HELD_OUT) for s in asked.batch.subject_B])
    unlike_B = np.zeros(len(asked.batch), dtype=np.bool_)
    for fold in np.unique(asked_fold_B):
        others = records.take(fold_B != fold)
        own_B = asked_fold_B == fold
        unlike_B[own_B] = is_out_of_distribution(fit_reference(others), asked.batch.take(own_B))
    refusal_B = refusals(
        asked.batch.groups_B,
        task,
        groups_in(batch.groups_B),
        unlike_B,
        few_alike_B=nobody_alike(given_if_unseen(records, batch, asked.batch, task)),
        nothing_measured_B=asked.nothing_measured_B,
        no_score_B=asked.no_score_B,
    )
    return with_questions(table, asked.batch, refusal_B != "", refusal_B, task)
