"""Model selection: ranks the families of a benchmark and selects the candidate to register.

**The rule.** The candidate is the servable family with the lowest CRPS, averaged over every
out-of-fold forecast of the benchmark: all origins, horizons and repeats, each outcome counted once.
Only the networks are servable, because only they can be put into a bundle and explained exactly.
A family that can't be served but is better beyond chance is named beside the candidate, so that
nobody overlooks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import pandas as pd

from contracts import predictions as columns
from training.comparison.leaderboard import REPEAT
from training.models.architectures import Architecture
from training.scores import Difference, paired_difference

PRETRAINED = ", pre-trained"
"""Suffix of the name of a family that was pre-trained on another cohort."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedFamily:
    """One family's score over all forecasts of a benchmark.

    Parameters
    ----------
    crps
        Mean over all forecasts, score points.
    difference
        Reference family minus this one, paired by subject; below 0 the reference is better. None
        for the reference itself: the candidate, or the best family if none can be served.
    servable
        True if it can be put into a bundle.
    """

    model: str
    crps: float
    difference: Difference | None
    servable: bool


def rank_families(scored: pd.DataFrame, names: Sequence[str]) -> tuple[RankedFamily, ...]:
    """Return all families, lowest CRPS first.

    Parameters
    ----------
    scored
        As for `training.comparison.leaderboard.leaderboard_rows`.
    names
        The competing families; forecasts of others (a floor) are left out.
    """
    keys = [REPEAT, columns.SUBJECT, columns.ORIGIN, columns.HORIZON]
    by_model = {name: scored[scored[columns.MODEL] == name].sort_values(keys) for name in names}
    crps = {name: float(table["crps"].mean()) for name, table in by_model.items()}
    ranked = sorted(names, key=lambda name: crps[name])
    reference = next((name for name in ranked if is_servable(name)), ranked[0])

    def difference(name: str) -> Difference | None:
        if name == reference:
            return None
        subject_N = by_model[name][columns.SUBJECT].to_numpy()
        reference_N, other_N = (by_model[key]["crps"].to_numpy() for key in (reference, name))
        return paired_difference(reference_N, other_N, subject_N)

    return tuple(
        RankedFamily(
            model=name,
            crps=crps[name],
            difference=difference(name),
            servable=is_servable(name),
        )
        for name in ranked
    )


def is_servable(name: str) -> bool:
    """Return whether a family can be put into a bundle."""
    return name.removesuffix(PRETRAINED) in get_args(Architecture)


def select_candidate(ranked: Sequence[RankedFamily]) -> str | None:
    """Return the candidate by the rule; None if no family can be served."""
    return next((family.model for family in ranked if family.servable), None)


def better_but_not_servable(ranked: Sequence[RankedFamily]) -> tuple[str, ...]:
    """Return the families that can't be served but are better than the candidate beyond chance."""
    return tuple(
        family.model
        for family in ranked
        if not family.servable and family.difference is not None and family.difference.low > 0
    )
