"""Outcomes that were due and did not come: how many more in a group than elsewhere, and what for.

Whoever vanishes may be whom a forecast served worst. Nothing computed from the outcomes that came
can show it: weights repair only what the recorded data explain. So a group may not lose many more
than others do, and whatever more it loses counts as its worst.

Letters: N rows of a follow-up table, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from audits.measure.clustered.alike import Wider, limited, widened
from audits.measure.clustered.clusters import Clusters
from audits.measure.disparity import Direction
from audits.measure.groups import Grouping
from audits.measure.people import Moments, RowSums, people_of_groups
from contracts.predictions import DRAWN, STATUS, SUBJECT, TRACING_CHANCE, OutcomeStatus

Array = NDArray[np.float64]

LOST = (OutcomeStatus.LOST, OutcomeStatus.WITHDREW)
"""Outcomes of people who are followed no longer."""

FEWEST_DUE = 8
"""People with an outcome due from which a group's losses say something: as few as any bound has."""

FEWEST_TRACED = 5
"""Traced people of a group from which they stand for the lost whom a draw did not take."""


class LossTerms(BaseModel):
    """How many more outcomes a group may lose than others do.

    Parameters
    ----------
    maximum_difference, confidence
        Share that a group may lose beyond the rest, and the confidence of its one-sided bound.
    maximum_share
        Share that any group may lose.
    minimum_tracing_chance
        Chance of being traced from which traced people stand for the lost.
    rationale
        Why.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    maximum_difference: Annotated[float, Field(ge=0, le=1)]
    maximum_share: Annotated[float, Field(gt=0, le=1)]
    confidence: Annotated[float, Field(ge=0.8, lt=1)]
    minimum_tracing_chance: Annotated[float, Field(gt=0, le=1)]
    rationale: Annotated[str, Field(min_length=20)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Share of the outcomes due that are missing, by person, in each group and in everyone else.

    Deaths are no missing outcomes and do not count.

    Parameters
    ----------
    people_G
        People with an outcome due.
    share_G, rest_G, error_G
        Missing in the group and in the rest, and the standard error of their difference; NaN where
        nobody had an outcome due, or too few for it.
    freedom_G
        Degrees of freedom of that error; infinite unless people are clustered.
    """

    people_G: Array
    share_G: Array
    rest_G: Array
    error_G: Array
    freedom_G: Array

    @property
    def difference_G(self) -> Array:
        """Share of the group minus share of the rest."""
        return np.asarray(self.share_G - self.rest_G)

    @property
    def excess_G(self) -> Array:
        """Share of the group's outcomes that it lost beyond what others lose; never negative."""
        return np.asarray(np.clip(np.nan_to_num(self.difference_G), 0, None))

    def high_G(self, confidence: float) -> Array:
        """Return the one-sided upper bound of the difference."""
        return np.asarray(self.difference_G + self._quantile_G(confidence) * self.error_G)

    def certain_excess_G(self, confidence: float) -> Array:
        """Return the one-sided lower bound of the difference; never negative."""
        low_G = self.difference_G - self._quantile_G(confidence) * self.error_G
        return np.asarray(np.clip(np.nan_to_num(low_G), 0, None))

    def _quantile_G(self, confidence: float) -> Array:
        is_finite_G = np.isfinite(self.freedom_G)
        of_t_G = scipy.stats.t.ppf(confidence, np.where(is_finite_G, self.freedom_G, 1.0))
        return np.asarray(
            np.where(is_finite_G, of_t_G, scipy.stats.norm.ppf(confidence)), dtype=np.float64
        )


def losses(rows: pd.DataFrame, grouping: Grouping, lost_N: Array) -> Losses:
    """Return how much each group lost.

    Parameters
    ----------
    rows
        A follow-up table, or some rows of one.
    grouping
        Groups of those rows.
    lost_N
        How much of each row is lost (`lost_rows`, `lost_after_tracing`).
    """
    _, subject_N = np.unique(rows[SUBJECT].to_numpy(), return_inverse=True)
    due_N = is_due(rows).astype(np.float64)
    sums = RowSums(
        subject_N=subject_N, numerator_N=lost_N * due_N, denominator_N=due_N,
        clusters=Clusters.of(rows, subject_N),
    )  # fmt: skip
    people = people_of_groups(sums, grouping)
    return of_moments(people.inside, people.rest, people.of_difference)


def of_moments(inside: Moments, rest: Moments, wider: Wider | None = None) -> Losses:
    """Return how much groups lost, from the mean and spread over their people.

    Parameters
    ----------
    wider
        Of the difference, where people are clustered.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        variance_G = inside.variance_G / inside.effective_G + rest.variance_G / rest.effective_G
        error_G = np.sqrt(widened(variance_G, wider))
    return Losses(
        people_G=inside.people_G, share_G=inside.mean_G, rest_G=rest.mean_G, error_G=error_G,
        freedom_G=limited(np.full(len(error_G), np.inf), wider),
    )  # fmt: skip


def is_due(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whose outcome exists, (N,): not of the dead."""
    return np.asarray(rows[STATUS].to_numpy() != OutcomeStatus.DIED, dtype=np.bool_)


def lost_rows(rows: pd.DataFrame) -> Array:
    """Return 1 where the outcome is lost, else 0, (N,)."""
    return np.asarray(rows[STATUS].isin(LOST).to_numpy(), dtype=np.float64)


def missed_rows(rows: pd.DataFrame) -> Array:
    """Return 1 where the outcome was missed by a person who is still followed, else 0, (N,)."""
    return np.asarray((rows[STATUS] == OutcomeStatus.MISSED).to_numpy(), dtype=np.float64)


def lost_after_tracing(rows: pd.DataFrame, grouping: Grouping, minimum_chance: float) -> Array:
    """Return how much of each row is lost where those who were traced stand for others, (N,).

    The lost whom a draw did not take are as those whom it took (Horvitz and Thompson 1952): they
    count 0, and one who was drawn and not reached counts for all whom he stands for.

    Parameters
    ----------
    minimum_chance
        Draws with a smaller chance do not count: too few are traced.
    """
    lost_N = lost_rows(rows)
    inside_N = in_draw(rows, grouping, minimum_chance) & (rows[STATUS] == OutcomeStatus.LOST)
    weight_N = np.where(rows[DRAWN], 1 / rows[TRACING_CHANCE].fillna(1.0), 0.0)
    return np.where(inside_N, weight_N, lost_N)


def in_draw(rows: pd.DataFrame, grouping: Grouping, minimum_chance: float) -> NDArray[np.bool_]:
    """Return the rows of people whom a draw was made from that says something of their group."""
    known_N = rows[TRACING_CHANCE].to_numpy(dtype=np.float64) >= minimum_chance
    traced_N = known_N & (rows[STATUS] == OutcomeStatus.TRACED).to_numpy()
    is_traced = pd.DataFrame({"group": grouping.group_N, SUBJECT: rows[SUBJECT]})[traced_N]
    people_G = is_traced.groupby("group")[SUBJECT].nunique()
    count_N = people_G.reindex(grouping.group_N, fill_value=0).to_numpy()
    return np.asarray(known_N & (count_N >= FEWEST_TRACED), dtype=np.bool_)


def points_to_bear(excess_G: Array, spread_G: Array, at_least: float) -> Array:
    """Return by how many points the mean of a group may be better than if nobody more were lost.

    As if those who are missing beyond what others lose were the worst of the group. If its errors
    are about normal, a share d cut off at the top lowers the mean by s phi(z) / (1 - d), z being
    the quantile of d (the truncated mean, as in the trimming of Lee 2009); or as if each were worse
    than the others by `at_least`, whichever is more.

    Parameters
    ----------
    spread_G
        Standard deviation of people.
    at_least
        Points.
    """
    cut_G = np.clip(excess_G, 0, 0.99)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift_G = scipy.stats.norm.pdf(scipy.stats.norm.isf(cut_G)) / (1 - cut_G)
    worst_G = np.where(cut_G > 0, spread_G * shift_G, 0.0)
    return np.fmax(worst_G, excess_G * at_least)


def share_to_bear(excess_G: Array, share_G: Array, direction: Direction) -> Array:
    """Return by how much a share may be better than if nobody more were lost.

    As if the metric had gone against all of those who are missing beyond what others lose.
    """
    against_G = {
        Direction.AT_LEAST: share_G,
        Direction.AT_MOST: 1 - share_G,
        Direction.WITHIN: np.fmax(share_G, 1 - share_G),
    }[direction]
    return np.asarray(excess_G * np.clip(np.nan_to_num(against_G, nan=1.0), 0, 1))
