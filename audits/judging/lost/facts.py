"""Facts on lost outcomes for the report: by group, by cause, and how bad the lost may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from audits.judging.lost.missing import of_group, people_with_traced, violations
from audits.judging.policy import Policy
from audits.measure.bounds import Limit, difference_bounds
from audits.measure.disparity import Direction, Statistic
from audits.measure.groups import Grouping, by_attribute, everyone
from audits.measure.losses import LossTerms
from audits.measure.metrics import Measure, Metric
from audits.measure.people import RowSums, people_of_groups
from audits.measure.prediction_table import KEY
from audits.measure.reweighted import (
    chance_of_outcome,
    groups_of,
    weighted_mean,
    worst_cases,
)
from contracts.predictions import EARLY_ERROR, STATUS, SUBJECT, TRUTH, OutcomeStatus

Array = NDArray[np.float64]


class LostOutcomes(BaseModel):
    """What became of a group's outcomes that were due; shares are of people's, who weigh alike.

    Parameters
    ----------
    axis, group, people
        Which group, and its people with an outcome due.
    people_by
        Of them, those with an outcome of each status.
    lost, withdrew, died, missed, traced
        Share by cause; the rest was observed.
    not_stood_for
        Share that is missing where the traced stand for others (above 0 only by those whom a draw
        took and who were not reached, or whom no draw was made from).
    error, weighted_error
        Mean signed error of the observed, points; and by inverse probability of being observed.
    smallest_chance
        Smallest modelled chance of being observed: near 0, weights say nothing (no overlap).
    room
        Points from the signed error's farther bound to the policy's limit, 0 where it is beyond;
        None where there is no such limit or bound.
    worst_low, worst_high
        Mean signed error if every lost forecast had been wrong by the whole scale, either way.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    axis: str
    group: str
    people: int
    people_by: Mapping[OutcomeStatus, int]
    lost: float
    withdrew: float
    died: float
    missed: float
    traced: float
    not_stood_for: float
    error: float | None
    weighted_error: float | None
    smallest_chance: float | None
    room: float | None
    worst_low: float | None
    worst_high: float | None


def lost_outcomes(
    table: pd.DataFrame, follow_up: pd.DataFrame, policy: Policy, scale: tuple[float, float]
) -> tuple[LostOutcomes, ...]:
    """Describe what was lost, of everyone and of each group; empty where the policy does not ask.

    Parameters
    ----------
    table
        The candidate's rows.
    scale
        Ends of the target's scale, points.
    """
    if policy.lost is None or follow_up.empty or any(violations(follow_up, table)):
        return ()
    with_error = follow_up.merge(_errors(table), on=KEY, how="left")
    groupings = (everyone(follow_up), *by_attribute(follow_up))
    return tuple(
        row
        for grouping in groupings
        for row in _of_grouping(with_error, table, grouping, policy, policy.lost, scale)
    )


def _errors(table: pd.DataFrame) -> pd.DataFrame:
    if TRUTH not in table.columns:
        return table[KEY].assign(error=np.nan)
    return table[KEY].assign(error=table["q50"] - table[TRUTH])


def _of_grouping(
    rows: pd.DataFrame, table: pd.DataFrame, grouping: Grouping, policy: Policy, terms: LossTerms,
    scale: tuple[float, float],
) -> Iterator[LostOutcomes]:  # fmt: skip
    shares = {status: _share(rows, grouping, status) for status in OutcomeStatus}
    not_stood_for_G = of_group(rows, grouping, terms).share_G
    rooms = _rooms(rows, table, grouping, policy, terms)
    observed_N = rows["error"].notna().to_numpy()
    value_N = rows["error"].fillna(0.0).to_numpy()
    alive_N = (rows[STATUS] != OutcomeStatus.DIED).to_numpy()
    early_N = rows[EARLY_ERROR].to_numpy(dtype=np.float64)
    for group, label in enumerate(grouping.labels_G):
        mine = rows[grouping.group_N == group]
        member_N = (grouping.group_N == group) & alive_N
        chance_N = chance_of_outcome(member_N[alive_N], early_N[alive_N], observed_N[alive_N])
        weighted = weighted_mean(value_N[alive_N], chance_N, observed_N[alive_N], member_N[alive_N])
        mean = _mean(value_N[member_N & observed_N])
        missing = float(1 - observed_N[member_N].mean()) if member_N.any() else np.nan
        low, high = worst_cases(mean, missing, scale[0] - scale[1], scale[1] - scale[0])
        yield LostOutcomes(
            axis=grouping.axis, group=label,
            people=int(mine[SUBJECT].nunique()),
            people_by=mine.groupby(STATUS)[SUBJECT].nunique().to_dict(),
            lost=shares[OutcomeStatus.LOST][group], died=shares[OutcomeStatus.DIED][group],
            withdrew=shares[OutcomeStatus.WITHDREW][group],
            missed=shares[OutcomeStatus.MISSED][group],
            traced=shares[OutcomeStatus.TRACED][group],
            not_stood_for=float(np.nan_to_num(not_stood_for_G[group])),
            error=_known(mean), weighted_error=_known(weighted.mean),
            smallest_chance=_known(weighted.smallest_chance),
            room=_known(rooms.get(label, np.nan)),
            worst_low=_known(low), worst_high=_known(high),
        )  # fmt: skip


def _share(rows: pd.DataFrame, grouping: Grouping, status: OutcomeStatus) -> list[float]:
    """Return the share of outcomes with a status, by person, of all that were due."""
    _, subject_N = np.unique(rows[SUBJECT].to_numpy(), return_inverse=True)
    is_status_N = (rows[STATUS] == status).to_numpy().astype(np.float64)
    sums = RowSums(subject_N=subject_N, numerator_N=is_status_N, denominator_N=np.ones(len(rows)))
    shares: list[float] = people_of_groups(sums, grouping).inside.mean_G.tolist()
    return shares


def _rooms(
    rows: pd.DataFrame, table: pd.DataFrame, grouping: Grouping, policy: Policy, terms: LossTerms
) -> dict[str, float]:
    """Return by group how far the farther bound of the signed error is from its limit."""
    rules = [
        rule
        for rule in policy.rules
        if rule.binding
        and rule.metric is Metric.SIGNED_ERROR
        and rule.statistic is Statistic.DIFFERENCE
        and rule.direction is Direction.WITHIN
    ]
    if not rules or not grouping.attributes or TRUTH not in table.columns:
        return {}
    limit = Limit(direction=Direction.WITHIN, value=rules[0].limit, confidence=rules[0].confidence)
    # Groups of people whose windows are not over yet are in the prediction table only.
    table = table[groups_of(table, grouping) >= 0].reset_index(drop=True)
    of_table = Grouping(
        axis=grouping.axis, attributes=grouping.attributes, labels_G=grouping.labels_G,
        group_N=groups_of(table, grouping),
    )  # fmt: skip
    measure = Measure(metric=Metric.SIGNED_ERROR)
    sums = RowSums.of(table, measure, policy.thresholds)
    bounds = difference_bounds(
        people_with_traced(rows, terms, table, sums, of_table, measure), limit
    )
    room_G = limit.value - np.fmax(np.abs(bounds.low_G), np.abs(bounds.high_G))
    return dict(zip(grouping.labels_G, np.maximum(room_G, 0.0).tolist(), strict=True))


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else np.nan


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
