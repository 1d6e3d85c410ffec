"""Forecasts of independence after a stroke (International Stroke Trial), each as an audit reads it.

The same people and folds for all: nobody is forecast by a model that has seen them. The trialists'
own predictions come with the table of the trial.

Letters: B people, N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import Cohort
from contracts.predictions import (
    CANDIDATE,
    CHANCE,
    FOLD,
    LAST_SCORE,
    MODEL,
    QUANTILE_COLUMNS,
    SUBJECT,
    TRUTH,
)
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.cohort.follow_up import ends_of, follow_up_rows
from features.sequences import cohort_sequences, training_sequences
from features.sources.cohorts.ist import read_ist
from features.tables.text_tables import read_numbers
from inference.milestones import assessed, reached
from support.plain_logistic import logistic
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.models import Fit
from training.models.bedside_rules import last_observation
from training.models.boosted import boosted_quantiles
from training.models.stack import out_of_fold
from training.predictions import prediction_table
from training.split import fold_of_rows, fold_of_subjects

HYBRID, LOGISTIC, TRIALISTS = "hybrid", "plain logistic", "the trialists"
BOOSTED, ALIKE = "boosted quantiles", "last observation"
COUNTRY = "country"
OTHERS = "other countries"

CONFIG = TrainingConfig(batch_size=256, max_epochs=30, patience=5)
"""Of fourteen thousand people, fewer rounds and larger batches than of a hundred."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The people of the trial who have an outcome, and what became of all outcomes due.

    Parameters
    ----------
    batch, follow_up
        As training uses them; no one is held out.
    reached_B
        Who was alive and independent.
    fold_B
        Fold of each, at random by person.
    task
        The milestone is its only one.
    """

    batch: SequenceBatch
    follow_up: pd.DataFrame
    reached_B: NDArray[np.bool_]
    fold_B: NDArray[np.int64]
    task: Task

    @staticmethod
    def of(cohort: Cohort, task: Task) -> Trial:
        """Lay out a cohort."""
        batch = training_sequences(cohort.events, task)
        everybody = cohort_sequences(cohort.events, task, batch.layout, outcomes=False)
        ends = ends_of(cohort.events, dates_shifted=cohort.provenance.dates_shifted)
        (milestone,) = task.milestones
        known_B = assessed(batch, task)
        of_all = reached(batch.truth_BH, batch.last_score_B, task, assessed_B=known_B)
        fold_of = fold_of_subjects(batch.subject_B, CONFIG.folds, 0.0, seed=CONFIG.seed)
        return Trial(
            batch=batch,
            follow_up=follow_up_rows(everybody, ends, task).assign(early_error=np.nan),
            reached_B=of_all[milestone.name][:, 0],
            fold_B=fold_of_rows(batch.subject_B, fold_of),
            task=task,
        )

    @property
    def milestone(self) -> str:
        """Its name."""
        return self.task.milestones[0].name

    @property
    def country_B(self) -> NDArray[np.object_]:
        """Country of each."""
        return self.batch.groups_B[COUNTRY].to_numpy(dtype=object)

    def followed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return what became of the outcomes due, without people whom a model cannot forecast."""
        without = np.setdiff1d(self.batch.subject_B, table[SUBJECT].to_numpy())
        return self.follow_up[~self.follow_up[SUBJECT].isin(without)].reset_index(drop=True)

    def scored(self, quantiles_BHQ: Array, model: str) -> pd.DataFrame:
        """Return the table of a model that forecasts the score."""
        return prediction_table(self.batch, quantiles_BHQ, self.task, model=model).assign(
            **{FOLD: self.fold_B}
        )

    def chances(self, chance_B: Array, model: str) -> pd.DataFrame:
        """Return the table of a model that gives a chance only; without it a person is left out."""
        certain_BHQ = np.zeros((*self.batch.truth_BH.shape, len(QUANTILE_COLUMNS)))
        table = self.scored(certain_BHQ, model)
        table = table.drop(columns=[LAST_SCORE, TRUTH, *QUANTILE_COLUMNS])
        table[CHANCE + self.milestone] = chance_B
        return table[np.isfinite(chance_B)].reset_index(drop=True)

    def family(self, fit: Fit, model: str) -> pd.DataFrame:
        """Return the table of a family of the benchmark, out of fold."""
        quantiles_BHQ = out_of_fold(fit, self.batch, self.task, CONFIG.folds, seed=CONFIG.seed)
        return self.scored(quantiles_BHQ, model)

    def logistic_chance_B(self, part_B: NDArray[np.int64]) -> Array:
        """Return the logistic's chances of each part by a fit on all others."""
        chance_B = np.full(len(self.batch), np.nan)
        for part in np.unique(part_B):
            inside_B = part_B == part
            chance_B[inside_B] = logistic(
                self.batch.take(~inside_B), self.batch.take(inside_B), self.reached_B[~inside_B]
            )
        return chance_B


def trialists_chance_B(trial: Trial, source: Path) -> Array:
    """Return one less the trialists' predicted risk of death or dependency (EXPDD); NaN without."""
    cells = read_ist(source)
    risk = pd.Series(read_numbers(cells["EXPDD"]).value_N, index=cells.index)
    chance_B = 1 - risk.reindex(trial.batch.subject_B).to_numpy(dtype=np.float64)
    return np.where((chance_B >= 0) & (chance_B <= 1), chance_B, np.nan)


def forecasts(trial: Trial, source: Path, folder: Path) -> dict[str, pd.DataFrame]:
    """Return every model's table by name; the hybrid's networks are kept in a folder."""
    fitted = crossfit(trial.batch, trial.task, CONFIG, folder=folder)
    return {
        TRIALISTS: trial.chances(trialists_chance_B(trial, source), TRIALISTS),
        LOGISTIC: trial.chances(trial.logistic_chance_B(trial.fold_B), LOGISTIC),
        HYBRID: trial.scored(fitted.out_of_fold_BHQ, HYBRID),
        BOOSTED: trial.family(boosted_quantiles, BOOSTED),
        ALIKE: trial.family(last_observation, ALIKE),
    }


def as_audited(table: pd.DataFrame, alike: pd.DataFrame) -> pd.DataFrame:
    """Return a model as the candidate beside the comparator, with the columns that both have."""
    beside = alike[alike[SUBJECT].isin(table[SUBJECT])]
    both = pd.concat([table.assign(**{MODEL: CANDIDATE}), beside], ignore_index=True)
    return both[list(table.columns)]


def pooled_countries(country_N: Sequence[str], minimum: int) -> NDArray[np.object_]:
    """Return each person's country, or `OTHERS` where fewer than so many people have it."""
    countries = pd.Series(country_N, dtype=object)
    size = countries.map(countries.value_counts())
    return countries.where(size >= minimum, OTHERS).to_numpy(dtype=object)
