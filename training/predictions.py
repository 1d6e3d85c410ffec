"""Writes forecasts beside what happened, in the form that an audit reads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts import predictions as columns
from contracts.cohort import CODE, SUBJECT, TEXT, TIME, WEAR_TIME, Cohort
from contracts.groups import group_column
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import NOT_RECORDED
from features.past.groups import wearable_codes
from inference.milestones import assessed, chances, reached
from inference.patterns import patterns
from inference.refusals import Refusal


def prediction_table(
    batch: SequenceBatch,
    quantiles_BHQ: NDArray[np.float64],
    task: Task,
    *,
    model: str,
    stated: Mapping[str, NDArray[np.float64]] | None = None,
) -> pd.DataFrame:
    """Return one row per pair and horizon with an observed outcome (`contracts.predictions`).

    Parameters
    ----------
    stated
        Chances of the milestones by the assessments that took place, (B, H) by name; None: from the
        quantiles, with the usual correlation between visits.
    """
    observed_BH, known_B = ~np.isnan(batch.truth_BH), assessed(batch, task)
    if stated is None:
        stated = chances(
            quantiles_BHQ, batch.last_score_B, task, counted_BH=observed_BH, assessed_B=known_B
        )
    row, horizon = np.nonzero(observed_BH)
    last_N = batch.last_score_B[row].astype(np.float64)
    table = pd.DataFrame(
        {
            columns.MODEL: model,
            columns.SUBJECT: batch.subject_B[row],
            columns.ORIGIN: batch.origin_day_B[row],
            columns.HORIZON: np.array(batch.layout.horizon_days_H)[horizon],
            columns.DAYS_SINCE_ONSET: batch.days_since_onset_BT[row, -1].astype(np.float64),
            columns.LAST_SCORE: last_N,
            columns.TRUTH: batch.truth_BH[row, horizon].astype(np.float64),
        }
    )
    table[list(columns.QUANTILE_COLUMNS)] = quantiles_BHQ[row, horizon]
    for name, chance_BH in stated.items():
        table[columns.CHANCE + name] = chance_BH[row, horizon]
    was = reached(batch.truth_BH, batch.last_score_B, task, assessed_B=known_B)
    for name, reached_BH in was.items():
        table[columns.REACHED + name] = reached_BH[row, horizon]
    for name, column_B in _worn(batch, task).items():
        table[name] = column_B[row]
    for name, pattern_B in patterns(batch, task).items():
        table[columns.PATTERN + name] = pattern_B[row]
    for attribute in task.sensitive:
        label_N = batch.groups_B[attribute.name].to_numpy(dtype=object)[row]
        table[columns.GROUP + attribute.name] = group_column(attribute, label_N)
    return table


def with_clusters(rows: pd.DataFrame, cohort: Cohort, task: Task) -> pd.DataFrame:
    """Add to a table, of predictions or of follow-up, what the task says people are clustered by.

    People of whom it is not recorded are one cluster: nobody gains by not recording it.
    """
    facts = cohort.events[cohort.events[TIME].isna()]
    for cluster in task.clusters:
        of_person = facts[facts[CODE] == cluster.code].set_index(SUBJECT)[TEXT]
        label_N = rows[columns.SUBJECT].map(of_person).fillna(NOT_RECORDED)
        rows = rows.assign(**{columns.CLUSTER + cluster.name: label_N.astype(object)})
    return rows


def with_refusals(
    table: pd.DataFrame,
    batch: SequenceBatch,
    refused_B: NDArray[np.bool_],
    refusal_B: NDArray[np.object_],
    given_BH: NDArray[np.bool_],
) -> pd.DataFrame:
    """Add to a table of the batch's forecasts which of them the service would refuse, and why.

    Refusals depend on subject, day and horizon only, so all models are compared on the same
    forecasts.

    Parameters
    ----------
    given_BH
        Which horizons have enough people behind them (`inference.similar`).
    """
    horizons = given_BH.shape[1]
    refusal_BH = np.repeat(refusal_B[:, None], horizons, axis=1)
    few_BH = ~given_BH & (refusal_BH == "")
    pairs = pd.DataFrame(
        {
            columns.SUBJECT: np.repeat(batch.subject_B, horizons),
            columns.ORIGIN: np.repeat(batch.origin_day_B, horizons),
            columns.HORIZON: np.tile(batch.layout.horizon_days_H, len(batch)),
            columns.REFUSED: (refused_B[:, None] | ~given_BH).ravel(),
            columns.REFUSAL: np.where(few_BH, str(Refusal.FEW_ALIKE), refusal_BH).ravel(),
        }
    )
    keys = [columns.SUBJECT, columns.ORIGIN, columns.HORIZON]
    return table.merge(pairs, on=keys, how="left", validate="many_to_one")


def with_questions(
    table: pd.DataFrame,
    batch: SequenceBatch,
    refused_B: NDArray[np.bool_],
    refusal_B: NDArray[np.object_],
    task: Task,
) -> pd.DataFrame:
    """Append to a table the questions of a batch, one for each pair (`contracts.predictions`)."""
    questions = pd.DataFrame(
        {
            columns.MODEL: columns.ASKED,
            columns.SUBJECT: batch.subject_B,
            columns.ORIGIN: batch.origin_day_B,
            columns.HORIZON: batch.origin_day_B,
            columns.DAYS_SINCE_ONSET: batch.days_since_onset_BT[:, -1].astype(np.float64),
            columns.REFUSED: refused_B,
            columns.REFUSAL: refusal_B,
        }
    )
    for attribute in task.sensitive:
        label_B = batch.groups_B[attribute.name].to_numpy(dtype=object)
        questions[columns.GROUP + attribute.name] = group_column(attribute, label_B)
    both = pd.concat([table, questions], ignore_index=True)
    # A column of whole numbers or of true and false stays one, although questions have none.
    filled = {name: 0 for name in both if name not in questions and table[name].dtype.kind in "bi"}
    return both.fillna(filled).astype({name: table[name].dtype for name in filled})


def _worn(batch: SequenceBatch, task: Task) -> dict[str, NDArray[np.float64]]:
    """Return how each pair's past was worn: what an audit needs to see who is measured less."""
    layout = batch.layout
    devices = set(wearable_codes(task))
    of_device_C = np.array([code in devices for code in layout.channels_C], dtype=np.bool_)
    if not of_device_C.any():
        return {}
    without_BT = ~batch.observed_BTC[:, :, of_device_C].any(axis=2)
    wear = {columns.UNOBSERVED_SHARE: without_BT.mean(axis=1)}
    if WEAR_TIME in layout.channels_C:
        channel = layout.channels_C.index(WEAR_TIME)
        hours_BT = np.where(batch.observed_BTC[:, :, channel], batch.values_BTC[:, :, channel], 0)
        wear[columns.WEAR_HOURS] = np.median(hours_BT, axis=1).astype(np.float64)
    return wear
