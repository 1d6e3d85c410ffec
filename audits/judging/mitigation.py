"""Compares ways to make forecasts fairer, by accuracy and gap; recommends none.

Only what can be done to finished forecasts is computed here, each method fitted on the folds that a
person is not in. What needs another training (plain, group-aware checkpoint choice, reweighing,
Group DRO) comes as the prediction table of a variant. Letters: N rows, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from fairlearn.postprocessing import ThresholdOptimizer
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from audits.judging.policy import Policy
from audits.measure.disparity import Statistic, estimates
from audits.measure.intervals import Interval, Scores, bootstrap, percentile_interval
from audits.measure.measures import Metric, measures, milestones
from audits.measure.partitions import axes
from contracts.errors import ContractError
from contracts.forecast import QUANTILE_LEVELS
from contracts.predictions import (
    CANDIDATE,
    CHANCE,
    FOLD,
    GROUP,
    HORIZON,
    MODEL,
    ORIGIN,
    QUANTILE_COLUMNS,
    REACHED,
    REFUSED,
    SUBJECT,
    TRUTH,
)

Array = NDArray[np.float64]

FEWEST_TO_FIT = 30
"""Rows of a group below which its own calibration would be noise: the pooled one is used."""

COMPARED = (Metric.ERROR, Metric.COVERAGE, Metric.MISSED)
REGISTERED = "as registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A metric under a method: everyone's value, and the largest difference between groups.

    The intervals are 95 % by subject bootstrap; None where too rarely defined.
    """

    method: str
    metric: str
    overall: float
    overall_interval: Interval | None
    gap: float
    gap_interval: Interval | None


def compare(
    predictions: pd.DataFrame, axis: str, policy: Policy, variants: Mapping[str, pd.DataFrame]
) -> list[Compared]:
    """Compare methods on one attribute.

    Parameters
    ----------
    predictions
        The prediction table; the candidate's rows are taken, which need `fold`.
    axis
        The attribute whose groups are compared.
    policy
        Replicates, seed and yardsticks.
    variants
        Prediction tables of versions trained otherwise, on the same people, by name.

    Raises
    ------
    ContractError
        There is no such attribute, or no fold.
    """
    registered = _candidate(predictions)
    if GROUP + axis not in registered.columns or FOLD not in registered.columns:
        raise ContractError(f"mitigation: the prediction table needs {GROUP + axis} and {FOLD}")
    tables = {REGISTERED: registered}
    for name, variant in variants.items():
        tables[name] = _refused_alike(_candidate(variant), registered)
    for name, method in METHODS.items():
        tables[name] = _cross_fitted(registered, axis, method)
    told: list[Compared] = []
    for name, table in tables.items():
        told += _measured(name, table, axis, policy)
    return told


def _candidate(predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions[predictions[MODEL] == CANDIDATE].reset_index(drop=True)


def _refused_alike(variant: pd.DataFrame, registered: pd.DataFrame) -> pd.DataFrame:
    """Count the same forecasts: a variant refuses whom the registered version refuses."""
    if REFUSED not in registered.columns:
        return variant
    keys = [SUBJECT, ORIGIN, HORIZON]
    told = variant.drop(columns=REFUSED, errors="ignore")
    return told.merge(registered[[*keys, REFUSED]], on=keys, validate="one_to_one")


Method = Callable[[pd.DataFrame, pd.DataFrame, str], pd.DataFrame]
"""From the rows to fit on, those to change, and the attribute's column: the changed rows."""


def _cross_fitted(table: pd.DataFrame, axis: str, method: Method) -> pd.DataFrame:
    parts = [
        method(table[table[FOLD] != fold], rows.copy(), GROUP + axis)
        for fold, rows in table.groupby(FOLD)
    ]
    return pd.concat(parts).sort_index()


def group_calibration(seen: pd.DataFrame, rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Shift each quantile by the group's own conformal offset (Mondrian; Romano 2019 per group).

    A group of fewer than `FEWEST_TO_FIT` rows to fit on gets everyone's offset.
    """
    pooled_Q = _offsets(seen)
    for label, here in rows.groupby(column):
        own = seen[seen[column] == label]
        offset_Q = _offsets(own) if len(own) >= FEWEST_TO_FIT else pooled_Q
        shifted_NQ = here[list(QUANTILE_COLUMNS)].to_numpy() + offset_Q
        rows.loc[here.index, list(QUANTILE_COLUMNS)] = np.sort(shifted_NQ, axis=1)
    return rows


def weighed_recalibration(seen: pd.DataFrame, rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Recalibrate the median by a line in which every group weighs the same.

    Reweighing after the fact: the network is untouched, so it can take out what is linear only.
    """
    weight_N = 1 / seen.groupby(column)[column].transform("size").to_numpy(dtype=np.float64)
    x, y = seen["q50"].to_numpy(), seen[TRUTH].to_numpy()
    slope, intercept = np.polyfit(x, y, 1, w=np.sqrt(weight_N))
    change_N = intercept + (slope - 1) * rows["q50"].to_numpy()
    shifted_NQ = rows[list(QUANTILE_COLUMNS)].to_numpy() + change_N[:, None]
    rows[list(QUANTILE_COLUMNS)] = shifted_NQ
    return rows


def threshold_optimizer(seen: pd.DataFrame, rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Set each milestone's chances to 0 or 1 by fairlearn's ThresholdOptimizer.

    For analysis only: it needs the group to decide, and gives a person of one group another answer
    than one of another for the same chance.
    """
    for name in milestones(rows):
        reached_N = seen[REACHED + name].to_numpy(dtype=np.int64)
        groups = seen.groupby(column)[REACHED + name].nunique()
        if (groups < 2).any():
            continue  # A group all of one kind has no rate to be made alike.
        optimizer = ThresholdOptimizer(
            estimator=_Given(), constraints="false_negative_rate_parity",
            objective="balanced_accuracy_score", prefit=True, predict_method="predict_proba",
        )  # fmt: skip
        optimizer.fit(seen[[CHANCE + name]], reached_N, sensitive_features=seen[column])
        known_N = rows[column].isin(groups.index)
        told = optimizer.predict(
            rows.loc[known_N, [CHANCE + name]],
            sensitive_features=rows.loc[known_N, column],
            random_state=0,
        )
        rows.loc[known_N, CHANCE + name] = np.asarray(told, dtype=np.float64)
    return rows


METHODS: dict[str, Method] = {
    "group-conditional calibration": group_calibration,
    "recalibration, groups weighing alike": weighed_recalibration,
    "fairlearn ThresholdOptimizer (milestones only)": threshold_optimizer,
}


class _Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose chances are its only input."""

    classes_ = np.array([0, 1])

    def fit(self, *_: object) -> _Given:
        """Nothing is learned."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, chances: pd.DataFrame) -> Array:
        """Return the chances of no and yes, (N, 2)."""
        yes_N = np.asarray(chances, dtype=np.float64)[:, 0]
        return np.stack([1 - yes_N, yes_N], axis=1)


def _offsets(rows: pd.DataFrame) -> Array:
    """Return what each quantile must move by so that it holds its share of the outcomes, (Q,)."""
    miss_NQ = rows[TRUTH].to_numpy()[:, None] - rows[list(QUANTILE_COLUMNS)].to_numpy()
    return np.array([np.quantile(miss_NQ[:, q], level) for q, level in enumerate(QUANTILE_LEVELS)])


def _measured(name: str, table: pd.DataFrame, axis: str, policy: Policy) -> list[Compared]:
    partition = next(each for each in axes(table) if each.axis == axis)
    measured = tuple(m for metric in COMPARED for m in measures(table, metric))
    (scores,) = bootstrap(
        table, [partition], measured, replicates=policy.replicates, seed=policy.seed,
        yardsticks=policy.yardsticks,
    )  # fmt: skip
    return [_compared(name, scores, column) for column in range(len(measured))]


def _compared(name: str, scores: Scores, column: int) -> Compared:
    everyone = np.ones(len(scores.partition.labels_G), dtype=np.bool_)
    (gap,) = estimates(scores, column, Statistic.BETWEEN, everyone)
    return Compared(
        method=name,
        metric=scores.measured[column].name,
        overall=float(scores.overall_GM[0, column]),
        overall_interval=percentile_interval(scores.overall_RGM[:, 0, column], confidence=0.95),
        gap=gap.value,
        gap_interval=percentile_interval(gap.replicate_R, confidence=0.95),
    )
