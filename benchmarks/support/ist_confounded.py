"""A randomised trial with its randomisation hidden, so that what adjustment finds can be checked.

Of a trial in which a coin gave the treatment, treated people are kept with chance e(x) and the
others with 1 - e(x): everybody is kept with chance 1/2 whatever x is, so the effect to be found
stays, but who is treated now depends on x. Letters: N people, F covariates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from features.sources.cohorts.ist import (
    AGE,
    ASPIRIN,
    COUNTRY,
    HEPARIN,
    HOSPITAL,
    LABELS,
    OUTCOME,
    read_ist,
)
from inference.twin.sensitivity import SensitivityCurve, effective_sample_size, sensitivity_curve
from support.effects.average import Estimate, average_effect
from support.effects.nuisances import cross_fit

Array = NDArray[np.float64]

DEAD_OR_DEPENDENT, KNOWN = ("1", "2"), ("1", "2", "3", "4")
NUMBERS = (AGE, "RDELAY", "RSBP")
LABELLED = ("RCONSC", HEPARIN, *LABELS)
HIDDEN_ODDS = 3.0
"""By how much a bad outcome, which nobody had recorded yet, raises the odds of treatment where the
confounder is hidden."""


@dataclass(frozen=True)
class Trial:
    """What the trial knew of people before it treated them, what they got and what came."""

    covariates_NF: Array
    treated_N: NDArray[np.bool_]
    bad_N: Array
    """1 where dead or dependent after six months."""
    hospital_N: NDArray[np.int64]

    def part(self, kept_N: NDArray[np.bool_]) -> Trial:
        """Return some of the people."""
        return Trial(
            self.covariates_NF[kept_N], self.treated_N[kept_N], self.bad_N[kept_N],
            self.hospital_N[kept_N],
        )  # fmt: skip

    def contrast(self) -> Estimate:
        """Return the plain difference of bad outcomes between the arms, with its 90 % interval."""
        one_N, none_N = self.bad_N[self.treated_N], self.bad_N[~self.treated_N]
        value = float(one_N.mean() - none_N.mean())
        error = float(np.sqrt(one_N.var() / len(one_N) + none_N.var() / len(none_N)))
        return Estimate(value, error, value - 1.645 * error, value + 1.645 * error)


def read_trial(source: Path) -> Trial:
    """Read everybody whose outcome is known, with all columns of before randomisation."""
    table = read_ist(source)
    table = table[table[OUTCOME].isin(KNOWN)]
    numbers = table[list(NUMBERS)].apply(pd.to_numeric, errors="coerce")
    numbers = numbers.fillna(numbers.median())
    numbers["AGE_SQUARED"] = (numbers[AGE] - numbers[AGE].mean()) ** 2
    # A label that is missing is a level of its own: the pilot did not ask for fibrillation.
    levels = pd.get_dummies(table[list(LABELLED)], dtype=float)
    varied = levels.loc[:, levels.std() > 0]
    return Trial(
        np.hstack([numbers.to_numpy(np.float64), varied.to_numpy(np.float64)]),
        (table[ASPIRIN] == "Y").to_numpy(),
        np.asarray(table[OUTCOME].isin(DEAD_OR_DEPENDENT), dtype=np.float64),
        pd.factorize(table[COUNTRY] + "/" + table[HOSPITAL])[0].astype(np.int64),
    )  # fmt: skip


def standardised_risk(trial: Trial) -> Array:
    """Return the logit of the risk that is expected without aspirin, in standard deviations."""
    fitted = cross_fit(
        trial.covariates_NF, trial.treated_N, trial.bad_N, np.arange(len(trial.bad_N))
    )
    score_N = logit(np.clip(fitted.untreated_N, 1e-6, 1 - 1e-6))
    return np.asarray((score_N - score_N.mean()) / score_N.std(), dtype=np.float64)


def confounded(
    trial: Trial, risk_N: Array, gamma: float, seed: int, hidden_odds: float = 1.0
) -> Trial:
    """Return about half of the people, treated the more often the higher their risk.

    Parameters
    ----------
    gamma
        Log odds of treatment by standard deviation of the risk.
    hidden_odds
        By how much a bad outcome raises the odds as well, which no covariate shows.
    """
    chance_N = expit(gamma * risk_N + np.log(hidden_odds) * (trial.bad_N - 0.5))
    keep_N = np.where(trial.treated_N, chance_N, 1 - chance_N)
    return trial.part(np.random.default_rng(seed).random(len(keep_N)) < keep_N)


@dataclass(frozen=True)
class Found:
    """What was found in one confounded sample, with the rule of its making forgotten."""

    naive: float
    weighted: float
    adjusted: Estimate
    comparable: float
    """Effective sample size of the arm that has less."""
    curve: SensitivityCurve


def found_in(sample: Trial, seed: int) -> Found:
    """Estimate the effect of the treatment in a confounded sample."""
    fitted = cross_fit(
        sample.covariates_NF,
        sample.treated_N,
        sample.bad_N,
        np.arange(len(sample.bad_N)),
        seed=seed,
    )
    chance_N = np.where(sample.treated_N, fitted.propensity_N, 1 - fitted.propensity_N)
    weight_N = 1 / chance_N
    arms = (sample.treated_N, ~sample.treated_N)
    one, none = (np.average(sample.bad_N[arm], weights=weight_N[arm]) for arm in arms)
    return Found(
        sample.contrast().value,
        float(one - none),
        average_effect(sample.bad_N, sample.treated_N, fitted, sample.hospital_N),
        min(effective_sample_size(weight_N[arm]) for arm in arms),
        sensitivity_curve(sample.bad_N, sample.treated_N, fitted.propensity_N),
    )


def repeated(trial: Trial, gamma: float, seeds: int, hidden_odds: float = 1.0) -> Iterator[Found]:
    """Hide the randomisation so many times, and yield what is found."""
    risk_N = standardised_risk(trial)
    for seed in range(seeds):
        yield found_in(confounded(trial, risk_N, gamma, seed, hidden_odds), seed)
