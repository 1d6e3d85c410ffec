"""Compares ways to make forecasts fairer, by accuracy and gap; recommends none.

Only methods that change finished forecasts are computed here, each fitted on the folds that a
person is not in. Methods that need another training (plain, group-aware checkpoint choice,
reweighing, Group DRO) come as the prediction table of a variant.

Letters: N rows, Q quantile levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.postprocessing import ThresholdOptimizer
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from audits.judging.policy import Policy
from audits.measure.disparity import Statistic, estimates
from audits.measure.groups import by_attribute
from audits.measure.intervals import Interval, Scores, bootstrap, widest_interval
from audits.measure.metrics import Measure, Metric, available_measures, milestones
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

MINIMUM_ROWS_TO_FIT = 30
"""A group with fewer rows gets the pooled calibration, as its own would be noise."""

MayShow = Callable[[Measure, str | None], bool]

METRICS = (Metric.MEAN_ABSOLUTE_ERROR, Metric.COVERAGE, Metric.FALSE_NEGATIVE_RATE)
REGISTERED = "as registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodResult:
    """A measure under a method: everyone's value, and the largest difference between groups.

    The intervals are 95 % by subject bootstrap; None where too rarely defined. Groups of which no
    number may be shown are left out of the difference, which is None where fewer than two are left:
    the largest value of all is some group's own.
    """

    method: str
    measure: Measure
    overall: float
    overall_interval: Interval | None
    gap: float | None
    gap_interval: Interval | None
    left_out: tuple[str, ...] = ()

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON can carry it, the measure by its name."""
        return {
            "method": self.method,
            "metric": self.measure.name,
            "overall": self.overall,
            "overall_interval": _bounds(self.overall_interval),
            "gap": self.gap,
            "gap_interval": _bounds(self.gap_interval),
            "left_out": self.left_out,
        }


def compare(
    predictions: pd.DataFrame,
    axis: str,
    policy: Policy,
    variants: Mapping[str, pd.DataFrame],
    *,
    may_show: MayShow,
) -> list[MethodResult]:
    """Compare methods on one attribute.

    Parameters
    ----------
    predictions
        The prediction table; its candidate's rows are used, and need the column `fold`.
    axis
        The attribute whose groups are compared.
    policy
        Replicates, seed and thresholds.
    variants
        Prediction tables of versions trained in other ways, on the same people, by name.
    may_show
        Whether a measure of everyone (None) or of a group may be shown; one that may not be shown
        of everyone is left out.

    Raises
    ------
    ContractError
        The table lacks the attribute, or its folds.
    """
    registered = _candidate(predictions)
    if GROUP + axis not in registered.columns or FOLD not in registered.columns:
        raise ContractError(
            f"mitigation: the prediction table lacks {GROUP + axis} or {FOLD}",
            "choose an attribute of the task, and a version whose table says which fold is which",
        )
    tables = {REGISTERED: registered}
    for name, variant in variants.items():
        tables[name] = _with_same_refusals(_candidate(variant), registered)
    for name, method in METHODS.items():
        tables[name] = _cross_fitted(registered, axis, method)
    results: list[MethodResult] = []
    for name, table in tables.items():
        results += _measured(name, table, axis, policy, may_show)
    return results


def _bounds(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else asdict(interval)


def _candidate(predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions[predictions[MODEL] == CANDIDATE].reset_index(drop=True)


def _with_same_refusals(variant: pd.DataFrame, registered: pd.DataFrame) -> pd.DataFrame:
    """Compare the same forecasts: a variant refuses those that the registered version refuses."""
    if REFUSED not in registered.columns:
        return variant
    keys = [SUBJECT, ORIGIN, HORIZON]
    unmarked = variant.drop(columns=REFUSED, errors="ignore")
    return unmarked.merge(registered[[*keys, REFUSED]], on=keys, validate="one_to_one")


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

    A group of fewer than `MINIMUM_ROWS_TO_FIT` rows to fit on gets everyone's offset.
    """
    pooled_Q = _offsets(seen)
    for label, members in rows.groupby(column):
        fitted_on = seen[seen[column] == label]
        offset_Q = _offsets(fitted_on) if len(fitted_on) >= MINIMUM_ROWS_TO_FIT else pooled_Q
        shifted_NQ = members[list(QUANTILE_COLUMNS)].to_numpy() + offset_Q
        rows.loc[members.index, list(QUANTILE_COLUMNS)] = np.sort(shifted_NQ, axis=1)
    return rows


def weighted_recalibration(seen: pd.DataFrame, rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Recalibrate the median by a line in whose fit every group has the same weight.

    Reweighing after the fact: the network is unchanged, so only linear errors can be removed.
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

    For analysis only: it decides by group, so that two people with the same chance can get
    different answers.
    """
    for name in milestones(rows):
        reached_N = seen[REACHED + name].to_numpy(dtype=np.int64)
        groups = seen.groupby(column)[REACHED + name].nunique()
        if (groups < 2).any():
            continue  # A group with one outcome only has no rate to be equalised.
        optimizer = ThresholdOptimizer(
            estimator=_Identity(), constraints="false_negative_rate_parity",
            objective="balanced_accuracy_score", prefit=True, predict_method="predict_proba",
        )  # fmt: skip
        optimizer.fit(seen[[CHANCE + name]], reached_N, sensitive_features=seen[column])
        known_N = rows[column].isin(groups.index)
        decision_N = optimizer.predict(
            rows.loc[known_N, [CHANCE + name]],
            sensitive_features=rows.loc[known_N, column],
            random_state=0,
        )
        rows.loc[known_N, CHANCE + name] = np.asarray(decision_N, dtype=np.float64)
    return rows


METHODS: dict[str, Method] = {
    "group-conditional calibration": group_calibration,
    "recalibration, equal weight per group": weighted_recalibration,
    "fairlearn ThresholdOptimizer (milestones only)": threshold_optimizer,
}


class _Identity(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that returns the chances it is given."""

    classes_ = np.array([0, 1])

    def fit(self, *_: object) -> _Identity:
        """Nothing is learned."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, chances: pd.DataFrame) -> Array:
        """Return the chances of no and yes, (N, 2)."""
        yes_N = np.asarray(chances, dtype=np.float64)[:, 0]
        return np.stack([1 - yes_N, yes_N], axis=1)


def _offsets(rows: pd.DataFrame) -> Array:
    """Return the shift of each quantile that makes it hold its share of the outcomes, (Q,)."""
    miss_NQ = rows[TRUTH].to_numpy()[:, None] - rows[list(QUANTILE_COLUMNS)].to_numpy()
    return np.array([np.quantile(miss_NQ[:, q], level) for q, level in enumerate(QUANTILE_LEVELS)])


def _measured(
    name: str, table: pd.DataFrame, axis: str, policy: Policy, may_show: MayShow
) -> list[MethodResult]:
    grouping = next(g for g in by_attribute(table) if g.axis == axis)
    measured = tuple(m for metric in METRICS for m in available_measures(table, metric))
    (scores,) = bootstrap(
        table, [grouping], measured, replicates=policy.replicates, seed=policy.seed,
        thresholds=policy.thresholds,
    )  # fmt: skip
    return [
        _result(name, scores, column, may_show)
        for column, measure in enumerate(measured)
        if may_show(measure, None)
    ]


def _result(name: str, scores: Scores, column: int, may_show: MayShow) -> MethodResult:
    measure, labels_G = scores.measured[column], scores.grouping.labels_G
    shown_G = np.array([may_show(measure, label) for label in labels_G], dtype=np.bool_)
    (gap,) = estimates(scores, column, Statistic.DIFFERENCE_BETWEEN, shown_G)
    return MethodResult(
        method=name,
        measure=measure,
        overall=float(scores.overall_GM[0, column]),
        overall_interval=widest_interval(
            scores.overall_RGM[:, 0, column], confidence=0.95, draws=scores.draws, group=None
        ),
        gap=gap.value if math.isfinite(gap.value) else None,
        gap_interval=widest_interval(
            gap.replicate_R, confidence=0.95, draws=scores.draws, group=None
        ),
        left_out=tuple(label for label, shown in zip(labels_G, shown_G, strict=True) if not shown),
    )
