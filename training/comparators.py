"""How a candidate did beside its comparators, on the same forecasts out of fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from contracts.groups import MINIMUM_SHOWN
from contracts.predictions import CANDIDATE, HORIZON, MODEL, ORIGIN, REFUSED, SUBJECT
from training.scores import Difference, losses, paired_difference

KEYS = [SUBJECT, ORIGIN, HORIZON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Better:
    """A comparator with a lower mean CRPS than the candidate.

    Parameters
    ----------
    model, crps, candidate_crps
        Which it is, and both means over the same forecasts, in score points.
    difference
        The candidate's minus this one's, above 0, paired by subject.
    """

    model: str
    crps: float
    candidate_crps: float
    difference: Difference

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the interval of the difference leaves 0 out."""
        return self.difference.low > 0

    def __str__(self) -> str:
        chance = "beyond chance" if self.is_beyond_chance else "which may be chance"
        decimals = decimals_of((self.crps, self.candidate_crps))
        return (
            f"{self.model} has a lower CRPS out of fold, {self.crps:.{decimals}f} against"
            f" {self.candidate_crps:.{decimals}f} (difference"
            f" {self.difference.with_decimals(decimals)}), {chance}"
        )


def errors_of_models(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean errors of each model over what it would give, the best CRPS first.

    Empty where they would be of fewer people than may be told.
    """
    given = table[~table[REFUSED].astype("bool")]
    if given[SUBJECT].nunique() < MINIMUM_SHOWN:
        given = given.iloc[:0]
    scored = given.assign(**losses(given))
    columns = ["mae", "crps", "coverage_80", "width_80"]
    return scored.groupby(MODEL)[columns].mean().sort_values("crps")


def decimals_of(errors: Iterable[float]) -> int:
    """Return how many decimals errors that stand together are shown with: all the same.

    Of a speed in m/s, two decimals would show two equal errors and no difference.
    """
    return 2 if min(errors, default=1.0) >= 1 else 4


def better_comparators(table: pd.DataFrame) -> tuple[Better, ...]:
    """Return the comparators that did better than the candidate, the best first.

    Of fewer people than may be told nothing is said.

    Parameters
    ----------
    table
        Prediction table of the candidate and its comparators; what would be refused does not count.
    """
    given = table[~table[REFUSED].astype("bool")]
    scored = given[[MODEL, *KEYS]].assign(crps=losses(given)["crps"])
    wide = scored.pivot(index=KEYS, columns=MODEL, values="crps").dropna()
    if wide.index.get_level_values(SUBJECT).nunique() < MINIMUM_SHOWN:
        return ()
    means = wide.mean().sort_values()
    own = float(means[CANDIDATE])
    subject_N = wide.index.get_level_values(SUBJECT).to_numpy()
    return tuple(
        Better(
            model=str(name),
            crps=float(crps),
            candidate_crps=own,
            difference=paired_difference(
                wide[CANDIDATE].to_numpy(), wide[name].to_numpy(), subject_N
            ),
        )
        for name, crps in means.items()
        if crps < own
    )
