"""Which family becomes the registered candidate: the rule, and who stands where by it.

**The rule.** The candidate is the servable family of lowest CRPS, meaned over every out-of-fold
forecast of the benchmark: all origins, horizons and repeats, each outcome counted once. Servable
are the networks: only they can be put into a bundle and explained exactly. A family that can't be
served and is better beyond chance is named beside the candidate, so that nobody overlooks it.
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
"""Ends the name of a family that learned from another cohort first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One family over all forecasts of a benchmark.

    Parameters
    ----------
    crps
        Mean over all forecasts, score points.
    difference
        Winner minus this one, paired by subject; below 0 the winner is better. None for the winner.
    servable
        True where a bundle can hold it.
    """

    model: str
    crps: float
    difference: Difference | None
    servable: bool


def standings(scored: pd.DataFrame, names: Sequence[str]) -> tuple[Standing, ...]:
    """Return all families by rising CRPS.

    Parameters
    ----------
    scored
        As for `training.comparison.leaderboard.leaderboard_rows`.
    names
        The competing families; forecasts of others (a floor) are left out.
    """
    keys = [REPEAT, columns.SUBJECT, columns.ORIGIN, columns.HORIZON]
    by_model = {name: scored[scored[columns.MODEL] == name].sort_values(keys) for name in names}
    crps = {name: float(mine["crps"].mean()) for name, mine in by_model.items()}
    ranked = sorted(names, key=lambda name: crps[name])
    first = next((name for name in ranked if is_servable(name)), ranked[0])

    def difference(name: str) -> Difference | None:
        if name == first:
            return None
        mine, best = by_model[name], by_model[first]
        subject_N = mine[columns.SUBJECT].to_numpy()
        return paired_difference(best["crps"].to_numpy(), mine["crps"].to_numpy(), subject_N)

    return tuple(
        Standing(
            model=name,
            crps=crps[name],
            difference=difference(name),
            servable=is_servable(name),
        )
        for name in ranked
    )


def is_servable(name: str) -> bool:
    """Tell whether a family can be put into a bundle."""
    return name.removesuffix(PRETRAINED) in get_args(Architecture)


def winner(ranked: Sequence[Standing]) -> str | None:
    """Return the candidate by the rule; None where no family can be served."""
    return next((each.model for each in ranked if each.servable), None)


def better_but_not_servable(ranked: Sequence[Standing]) -> tuple[str, ...]:
    """Return the families that are better than the winner beyond chance and can't be served."""
    return tuple(
        each.model
        for each in ranked
        if not each.servable and each.difference is not None and each.difference.low > 0
    )
