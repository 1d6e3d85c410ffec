"""What each person of a site adds to a joint audit: values, and the sets of people they count in.

Everything that is shared is a sum over people, so that it is the same however people are divided
into sites. A person has the label of the first forecast (earliest origin and horizon), or, without
one, of the first outcome that was due: groups of an attribute then divide the people, and the rest
of a group is everyone less the group.

Letters: N rows, S people of the site.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from audits.judging.counts import CountedRows
from audits.judging.gather import forecast_by_both, is_analytic, measures
from audits.judging.policy import Policy, Rule
from audits.judging.rules import counterpart, rows_of
from audits.measure.disparity import Scope
from audits.measure.losses import is_due, lost_rows, missed_rows
from audits.measure.metric_definitions import ratio
from audits.measure.metrics import Measure, Metric
from audits.measure.people import RowSums
from audits.measure.prediction_table import has_forecast
from contracts.digests import record_digest
from contracts.errors import ContractError
from contracts.predictions import (
    CANDIDATE,
    CHAMPION,
    CLUSTER,
    GROUP,
    HORIZON,
    ORIGIN,
    SUBJECT,
)

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

FORECAST = "forecast"
"""The set of people with a forecast, which everything else is compared with."""

LOST, LOST_OR_MISSED, DUE = "lost", "lost or missed", "due"
LARGEST = 1024.0
"""Values up to which sums of half a million people stay exact."""


class Summed(BaseModel):
    """A number that is summed.

    Parameters
    ----------
    key
        Its name, the same at every site.
    metric, milestone, horizon_day, comparator
        Of the rules that ask for it; no metric for lost outcomes.
    scopes
        On whom they are.
    sets
        Sets of people whose sizes its sums tell: who counts first, then both sides of a milestone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    metric: Metric | None = None
    milestone: str | None = None
    horizon_day: int | None = None
    comparator: str | None = None
    scopes: tuple[Scope, ...]
    sets: tuple[str, ...]

    @property
    def measure(self) -> Measure:
        """What is measured; it has a metric."""
        return Measure(
            metric=Metric(str(self.metric)), milestone=self.milestone, horizon_day=self.horizon_day
        )

    def is_asked_by(self, rule: Rule) -> bool:
        """Return whether a rule is decided by it."""
        return (self.metric, self.comparator, self.horizon_day is not None) == (
            rule.metric, rule.comparator, rule.each_horizon,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A number of people that is summed: who counts, and with which value.

    Parameters
    ----------
    summed
        What it is.
    sets
        Sets of people, by name, whose sizes its sums tell: who counts first, then events.
    value_S, rows_S
        Mean of each person, 0 where the person does not count; and rows that count.
    """

    summed: Summed
    sets: dict[str, Bools]
    value_S: Array
    rows_S: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePeople:
    """The people of a site: their labels, and all that is summed over them.

    Parameters
    ----------
    labels
        Label of each person by attribute, in alphabetical order, (S,).
    forecast_S
        Who has a forecast.
    counted
        In the order of the policy, binding rules first.
    """

    labels: dict[str, NDArray[np.str_]]
    forecast_S: Bools
    counted: tuple[Counted, ...]

    @property
    def people(self) -> int:
        """People with a forecast."""
        return int(self.forecast_S.sum())

    @property
    def digest(self) -> str:
        """Digest of who is in which group and has a forecast: other people, another digest."""
        labels = {name: label_S.tolist() for name, label_S in self.labels.items()}
        return record_digest({"labels": labels, "forecast": self.forecast_S.tolist()})

    @staticmethod
    def of(predictions: pd.DataFrame, follow_up: pd.DataFrame | None, policy: Policy) -> SitePeople:
        """Read a sound prediction table, and a follow-up table where there is one.

        Raises
        ------
        ContractError
            There is no forecast, people are clustered, which a federated audit can't take into
            account, or a value is too large to be summed exactly.
        """
        table = rows_of(predictions, CANDIDATE)
        if clustered := [str(c) for c in table.columns if str(c).startswith(CLUSTER)]:
            raise ContractError(
                f"people are clustered by {', '.join(n.removeprefix(CLUSTER) for n in clustered)},"
                " which a federated audit can't take into account",
                "audit this model at each site",
            )
        if not has_forecast(table).any():
            raise ContractError("no person has a forecast", "evaluate the version on more people")
        people = [table[[SUBJECT, ORIGIN, HORIZON]]]
        people += [] if follow_up is None else [follow_up[[SUBJECT, ORIGIN, HORIZON]]]
        subjects_S = np.unique(pd.concat(people)[SUBJECT].to_numpy())
        return SitePeople(
            labels=_labels(table, follow_up, subjects_S),
            forecast_S=_members(subjects_S, table, has_forecast(table).to_numpy(dtype=np.bool_)),
            counted=(
                *_of_rules(predictions, table, subjects_S, policy),
                *(() if follow_up is None else _of_losses(follow_up, subjects_S)),
            ),
        )


def asked_rules(policy: Policy) -> list[Rule]:
    """Return the rules that sums over people decide, binding ones first.

    Those on patterns and those that need a bootstrap or a champion are not among them.
    """
    rules = [
        rule
        for rule in policy.rules
        if is_analytic(rule) and rule.scope is not Scope.PATTERNS and rule.comparator != CHAMPION
    ]
    return sorted(rules, key=lambda rule: not rule.binding)


def _labels(
    table: pd.DataFrame, follow_up: pd.DataFrame | None, subjects_S: NDArray[np.int64]
) -> dict[str, NDArray[np.str_]]:
    names = [str(name) for name in table.columns if str(name).startswith(GROUP)]
    parts = [part[[SUBJECT, ORIGIN, HORIZON, *names]] for part in (table, follow_up)
             if part is not None]  # fmt: skip
    rows = pd.concat(
        [part.astype(dict.fromkeys(names, str)).sort_values([SUBJECT, ORIGIN, HORIZON])
         for part in parts]
    ).drop_duplicates(SUBJECT)  # fmt: skip
    first = rows.set_index(SUBJECT).loc[subjects_S]
    return {name.removeprefix(GROUP): first[name].to_numpy(dtype=str) for name in sorted(names)}


def _members(subjects_S: NDArray[np.int64], rows: pd.DataFrame, kept_N: Bools) -> Bools:
    is_member_S = np.zeros(len(subjects_S), dtype=np.bool_)
    is_member_S[np.searchsorted(subjects_S, rows[SUBJECT].to_numpy()[kept_N])] = True
    return is_member_S


def _of_rules(
    predictions: pd.DataFrame, table: pd.DataFrame, subjects_S: NDArray[np.int64], policy: Policy
) -> Iterator[Counted]:
    asked: dict[tuple[Measure, str | None], list[Rule]] = {}
    for rule in asked_rules(policy):
        for measure in measures(table, rule):
            asked.setdefault((measure, rule.comparator), []).append(rule)
    for (measure, comparator), rules in asked.items():
        rows, of_other = table, None
        if comparator is not None:
            other, _ = counterpart(predictions, table, rules[0])
            if other is None:
                continue
            rows, other = forecast_by_both(table, other)
            of_other = RowSums.of(other, measure, policy.thresholds)
        sums = RowSums.of(rows, measure, policy.thresholds)
        sums = sums if of_other is None else sums.less(of_other)
        sides: tuple[Bools, ...] = ()
        if measure.milestone is not None:
            sides = CountedRows.of(rows, measure, policy.thresholds).event_sides
        versus = "" if comparator is None else f" beside {comparator}"
        day = "" if measure.horizon_day is None else f" at day {measure.horizon_day}"
        key = f"{measure.name}{versus}{day}"
        # One side is who counts; two are those with the milestone and those without.
        of_sides = [f"{key}, side {n}" for n in (1, 2)] if len(sides) == 2 else []
        summed = Summed(
            key=key, metric=measure.metric, milestone=measure.milestone, comparator=comparator,
            horizon_day=measure.horizon_day, sets=(key, *of_sides),
            scopes=tuple(sorted({rule.scope for rule in rules})),
        )  # fmt: skip
        yield _counted(
            summed,
            rows,
            subjects_S,
            sums.numerator_N,
            sums.denominator_N,
            sides if of_sides else (),
        )


def _of_losses(follow_up: pd.DataFrame, subjects_S: NDArray[np.int64]) -> Iterator[Counted]:
    due_N = is_due(follow_up).astype(np.float64)
    lost_N, missed_N = lost_rows(follow_up), missed_rows(follow_up)
    for key, value_N in ((LOST, lost_N), (LOST_OR_MISSED, lost_N + missed_N)):
        summed = Summed(key=key, sets=(DUE,), scopes=(Scope.OVERALL, Scope.AXES, Scope.PAIRS))
        yield _counted(summed, follow_up, subjects_S, value_N * due_N, due_N, ())


def _counted(
    summed: Summed, rows: pd.DataFrame, subjects_S: NDArray[np.int64], numerator_N: Array,
    denominator_N: Array, sides: Sequence[Bools],
) -> Counted:  # fmt: skip
    index_N = np.searchsorted(subjects_S, rows[SUBJECT].to_numpy())
    size = len(subjects_S)
    total_S = np.bincount(index_N, denominator_N, size).astype(np.float64)
    value_S = np.nan_to_num(
        ratio(np.bincount(index_N, numerator_N, size).astype(np.float64), total_S)
    )
    if (np.abs(value_S) > LARGEST).any():
        raise ContractError(
            f"{summed.key}: a person's value is beyond {LARGEST:.0f}, so sums would not be exact",
            "audit this model at each site",
        )
    members = (total_S > 0, *(_members(subjects_S, rows, side_N) for side_N in sides))
    return Counted(
        summed=summed, sets=dict(zip(summed.sets, members, strict=True)), value_S=value_S,
        rows_S=np.bincount(index_N, denominator_N > 0, size).astype(np.float64),
    )  # fmt: skip


def axes_of(labels: dict[str, NDArray[np.str_]]) -> list[tuple[str, ...]]:
    """Return the axes of some attributes: everyone, each of them, and every two."""
    return [(), *((name,) for name in labels), *itertools.combinations(labels, 2)]
