"""Estimates that stand in for outcomes that did not come: weights, traced people, worst cases.

Weights repair a loss that depends on what is recorded (the group, an early error), and no loss that
depends on the outcome itself. Tracing a random part of the lost repairs both, because the chance of
being traced is known.

Letters: N rows, L rows of lost outcomes, K rows of both, C covariates.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.measure.clustered.clusters import Clusters
from audits.measure.groups import Grouping
from audits.measure.losses import FEWEST_TRACED, in_draw
from audits.measure.people import RowSums
from audits.measure.prediction_table import KEY
from contracts.predictions import (
    CLUSTER,
    EARLY_ERROR,
    GROUP,
    STATUS,
    SUBJECT,
    TRACING_CHANCE,
    OutcomeStatus,
)

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

FLOOR = 0.05
"""Smallest chance of being observed that a weight is made of."""

CAP = 95
"""Percentile of the weights above which they are cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """A mean by inverse probability of being observed, and how far it can be trusted.

    Parameters
    ----------
    mean
        Weighted mean of the group; NaN where nothing was observed.
    smallest_chance
        Smallest chance of being observed, before the floor: near 0 there is no overlap.
    effective
        Rows of equal weight that would say as much (Kish 1965).
    """

    mean: float
    smallest_chance: float
    effective: float


def chance_of_outcome(member_N: Flags, early_N: Array, observed_N: Flags) -> Array:
    """Return each row's chance of being observed: logistic on group, early error and product, (N,).

    Parameters
    ----------
    early_N
        Early error; NaN where there is none, which is a group of its own.
    """
    if observed_N.all() or not observed_N.any():
        return np.full(len(observed_N), float(observed_N.mean()))
    known_N = np.isfinite(early_N).astype(np.float64)
    early_N = np.nan_to_num(early_N)
    spread = early_N.std()
    early_N = early_N / spread if spread > 0 else early_N
    member_N = member_N.astype(np.float64)
    covariates_NC = np.stack([member_N, known_N, early_N, member_N * early_N], axis=1)
    varied_C = covariates_NC.std(axis=0) > 0
    if not varied_C.any():
        return np.full(len(observed_N), float(observed_N.mean()))
    # The service reads verdicts with this package, and works nothing out: it has no scikit-learn.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6, max_iter=1000)
    with warnings.catch_warnings():
        # Where a covariate decides alone, the coefficients grow without end; the floor bounds them.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(covariates_NC[:, varied_C], observed_N)
    return np.asarray(model.predict_proba(covariates_NC[:, varied_C])[:, 1], dtype=np.float64)


def weighted_mean(value_N: Array, chance_N: Array, observed_N: Flags, member_N: Flags) -> Weighted:
    """Return a group's mean by inverse probability (Hajek 1971), with bounded weights."""
    used_N = observed_N & member_N
    if not used_N.any():
        return Weighted(mean=np.nan, smallest_chance=np.nan, effective=0.0)
    weight_N = 1 / np.clip(chance_N, FLOOR, None)
    weight_N = np.minimum(weight_N, np.percentile(weight_N[observed_N], CAP))[used_N]
    return Weighted(
        mean=float(np.average(value_N[used_N], weights=weight_N)),
        smallest_chance=float(chance_N[member_N].min()),
        effective=float(weight_N.sum() ** 2 / (weight_N**2).sum()),
    )


def worst_cases(mean: float, lost: float, low: float, high: float) -> tuple[float, float]:
    """Return a mean if every lost outcome had the lowest, or the highest, possible value."""
    return (1 - lost) * mean + lost * low, (1 - lost) * mean + lost * high


def traced_values(
    value_K: Array, proxy_K: Array, group_K: NDArray[np.intp], traced_K: Flags, chance_K: Array
) -> Array:
    """Return values whose mean is that of all the lost, of whom some were traced, (K,).

    A prediction from the early proxy for everybody, and for the traced the rest of it, divided by
    the chance of being traced (augmented inverse probability weighting; Robins, Rotnitzky and Zhao
    1994). The chance is known, so the mean has no bias whatever the prediction is.

    Parameters
    ----------
    value_K
        Of the traced; anything elsewhere.
    proxy_K
        What the prediction is made from; NaN where there is none.
    group_K
        Group of each row: each has an intercept of its own.
    traced_K, chance_K
        Who was traced, and with which chance.
    """
    predicted_K = _predicted(value_K, proxy_K, group_K, traced_K)
    left_K = np.where(traced_K, value_K - predicted_K, 0.0)
    return np.asarray(predicted_K + left_K / chance_K)


def _predicted(value_K: Array, proxy_K: Array, group_K: NDArray[np.intp], traced_K: Flags) -> Array:
    """Predict from the traced by least squares: a line with an intercept for each group."""
    known_K = np.isfinite(proxy_K)
    proxy_K = np.nan_to_num(proxy_K)
    columns = [group_K == group for group in np.unique(group_K[traced_K])]
    if (traced_K & known_K).sum() >= 2 * FEWEST_TRACED:
        columns += [known_K, proxy_K]
    design_KC = np.stack(columns, axis=1).astype(np.float64)
    fitted_C, *_ = np.linalg.lstsq(design_KC[traced_K], value_K[traced_K], rcond=None)
    return np.asarray(design_KC @ fitted_C)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A metric's rows together with those of lost outcomes that traced people stand for.

    Parameters
    ----------
    sums
        Of the table's rows, then of the lost ones.
    grouping
        The same groups, of all those rows.
    """

    sums: RowSums
    grouping: Grouping


def recovered(
    table: pd.DataFrame,
    sums: RowSums,
    grouping: Grouping,
    follow_up: pd.DataFrame,
    minimum_chance: float,
    *,
    signed: bool,
) -> Recovered:
    """Let the traced stand for the lost: their rows become `traced_values`.

    Parameters
    ----------
    table, sums, grouping
        The candidate's rows, what a metric adds to them, and their groups.
    follow_up
        The follow-up table.
    signed
        Whether the metric goes with the early error, or else with its size.
    """
    group_F = groups_of(follow_up, grouping)
    follow_up = follow_up[group_F >= 0].reset_index(drop=True)
    of_rows = Grouping(
        axis=grouping.axis, attributes=grouping.attributes, labels_G=grouping.labels_G,
        group_N=group_F[group_F >= 0],
    )  # fmt: skip
    status = follow_up[STATUS]
    inside = in_draw(follow_up, of_rows, minimum_chance)
    traced, lost = (
        np.flatnonzero(inside & (status == which).to_numpy())
        for which in (OutcomeStatus.TRACED, OutcomeStatus.LOST)
    )
    at = pd.MultiIndex.from_frame(table[KEY]).get_indexer(
        pd.MultiIndex.from_frame(follow_up.loc[traced, KEY])
    )
    counts = (at >= 0) & (sums.denominator_N[at] > 0)
    traced, at = traced[counts], at[counts]
    # Where no traced outcome counts, nobody stands for the lost of a group.
    lost = lost[np.isin(of_rows.group_N[lost], of_rows.group_N[traced])]
    if not len(traced):
        return Recovered(sums=sums, grouping=grouping)
    rows_K = np.concatenate([traced, lost])
    early_K = follow_up[EARLY_ERROR].to_numpy(dtype=np.float64)[rows_K]
    value_K = np.concatenate([sums.numerator_N[at] / sums.denominator_N[at], np.zeros(len(lost))])
    value_K = traced_values(
        value_K, early_K if signed else np.abs(early_K), of_rows.group_N[rows_K],
        np.arange(len(rows_K)) < len(traced),
        follow_up[TRACING_CHANCE].to_numpy(dtype=np.float64)[rows_K],
    )  # fmt: skip
    numerator_N = sums.numerator_N.copy()
    numerator_N[at] = value_K[: len(traced)] * sums.denominator_N[at]
    subjects = np.concatenate([table[SUBJECT].to_numpy(), follow_up[SUBJECT].to_numpy()[lost]])
    _, subject_N = np.unique(subjects, return_inverse=True)
    names = [name for name in table.columns if str(name).startswith(CLUSTER)]
    of_cluster = pd.concat([table[names], follow_up[names].iloc[lost]], ignore_index=True)
    return Recovered(
        sums=RowSums(
            subject_N=subject_N,
            clusters=Clusters.of(of_cluster, subject_N),
            numerator_N=np.concatenate([numerator_N, value_K[len(traced) :]]),
            denominator_N=np.concatenate([sums.denominator_N, np.ones(len(lost))]),
        ),
        grouping=Grouping(
            axis=grouping.axis, attributes=grouping.attributes, labels_G=grouping.labels_G,
            group_N=np.concatenate([grouping.group_N, of_rows.group_N[lost]]),
            parts_G=grouping.parts_G,
        ),
    )  # fmt: skip


def groups_of(rows: pd.DataFrame, grouping: Grouping) -> NDArray[np.intp]:
    """Return the group of each row of another table, (N,); -1 where the grouping lacks it."""
    if not grouping.attributes:
        return np.zeros(len(rows), dtype=np.intp)
    parts = [rows[GROUP + name].astype(str) for name in grouping.attributes]
    label_N = parts[0] if len(parts) == 1 else parts[0] + " & " + parts[1]
    return np.asarray(pd.Index(grouping.labels_G).get_indexer(pd.Index(label_N)), dtype=np.intp)
