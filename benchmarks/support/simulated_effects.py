"""The effect of a doubled dose in SIMULATED cohorts, where what each plan would give is known.

Letters: N people, F covariates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.simulate.scales import FUGL_MEYER
from features.simulate.scenario import Scenario
from features.simulate.subjects import Subjects, draw_subjects
from features.simulate.therapy import PLAN_DAYS, PLANS, USUAL
from inference.twin.sensitivity import sensitivity_curve
from training.effects.average import Estimate, average_effect
from training.effects.nuisances import cross_fit

Array = NDArray[np.float64]

Truth = Literal["none", "saturating", "threshold"]

ASKED = "double"
"""The plan that is compared with usual care."""
BENEFIT = 0.5
"""Points that a mean effect has to stay under where no dose does anything."""


@dataclass(frozen=True)
class Cohort:
    """People on one of two plans: what a clinic sees of them, and what nobody does."""

    covariates_NF: Array
    """First score, its square, days since onset and age."""
    asked_N: NDArray[np.bool_]
    score_N: Array
    effect_N: Array
    """True gain of the plan over usual care, in points of the score's own level."""


def draw_cohort(scenario: Scenario, seed: int, shards: int) -> Cohort:
    """Draw the people on either plan, with the visit that is nearest to its end."""
    drawn = [_of_shard(draw_subjects(shard, seed, scenario)) for shard in range(shards)]
    return Cohort(*(np.concatenate(part) for part in zip(*drawn, strict=True)))


def _of_shard(people: Subjects) -> tuple[Array, NDArray[np.bool_], Array, Array]:
    names = list(PLANS)
    usual, other = names.index(USUAL), names.index(ASKED)
    row_N = np.arange(len(people.plan))
    late_NV = np.abs(people.visit_day - people.enrolment[:, None] - PLAN_DAYS)
    end_N = late_NV.argmin(axis=1)
    first_N = people.scores[FUGL_MEYER.code][:, 0]
    age_N = people.facts["REHABCAST//AGE"].to_numpy(np.float64)
    covariates_NF = np.stack([first_N, first_N**2, people.enrolment, age_N], axis=1)
    level_NP = people.level[row_N, :, end_N]
    kept_N = np.isin(people.plan, (usual, other)) & np.isfinite(covariates_NF).all(axis=1)
    return (
        covariates_NF[kept_N], people.plan[kept_N] == other,
        people.score[row_N, people.plan, end_N][kept_N],
        (level_NP[:, other] - level_NP[:, usual])[kept_N],
    )  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What was found in one cohort beside its truth, in points."""

    truth: float
    naive: float
    adjusted: Estimate
    pehe: float
    """Root mean squared error of each person's effect."""
    pehe_of_mean: float
    """Of giving everybody the mean effect as found."""
    pehe_of_none: float
    """Of saying that nobody gains."""
    hidden: float
    """Odds of a hidden confounder from which the range holds the truth; infinite above 3."""

    @property
    def held(self) -> bool:
        """Tell whether the interval holds the truth."""
        return self.adjusted.lower <= self.truth <= self.adjusted.upper

    @property
    def claims_sign(self) -> bool:
        """Tell whether the interval leaves no doubt of harm or benefit."""
        return not self.adjusted.lower <= 0 <= self.adjusted.upper


def answer(cohort: Cohort, seed: int) -> Answer:
    """Estimate the effect from what a clinic sees."""
    who_N = np.arange(len(cohort.score_N))
    fitted = cross_fit(cohort.covariates_NF, cohort.asked_N, cohort.score_N, who_N, seed=seed)
    found = average_effect(cohort.score_N, cohort.asked_N, fitted, who_N)

    def missed(effect: Array | float) -> float:
        return float(np.sqrt(np.mean((effect - cohort.effect_N) ** 2)))

    curve = sensitivity_curve(cohort.score_N, cohort.asked_N, fitted.propensity_N)
    truth = float(cohort.effect_N.mean())
    reached = curve.reaches(truth)
    return Answer(
        truth,
        float(cohort.score_N[cohort.asked_N].mean() - cohort.score_N[~cohort.asked_N].mean()),
        found,
        missed(fitted.treated_N - fitted.untreated_N), missed(found.value), missed(0.0),
        np.inf if reached is None else reached,
    )  # fmt: skip


def with_therapy(scenario: Scenario, truth: Truth, confounding: float) -> Scenario:
    """Return a scenario with another truth of dose and another confounding."""
    therapy = replace(scenario.therapy, truth=truth, confounding=confounding)
    return replace(scenario, therapy=therapy)
