"""The effect of a doubled dose in SIMULATED cohorts, where what each plan would give is known.

Letters: N people, F covariates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from features.simulate.scales import FUGL_MEYER
from features.simulate.scenario import Scenario
from features.simulate.subjects import Subjects, draw_subjects
from features.simulate.therapy import PLAN_DAYS, PLANS, USUAL
from inference.twin.compare import direction
from inference.twin.sensitivity import sensitivity_curve
from support.effects.average import Estimate, average_effect
from support.effects.nuisances import Nuisances, cross_fit
from support.effects.policy_value import PolicyValue, policy_value

Array = NDArray[np.float64]

Truth = Literal["none", "saturating", "threshold", "timed"]

ASKED = "double"
"""The plan that is compared with usual care."""
BENEFIT = 0.5
"""Points that a mean effect has to stay under where no dose does anything."""
WALKING = "REHABCAST//WALK_TEST_SPEED"
"""Walking speed, which therapy of the arm does not change in a simulated person."""
WIDEST = 8.0
"""Points that an interval of the value of advice may be wide."""


@dataclass(frozen=True)
class Cohort:
    """People on one of two plans: what a clinic sees of them, and what nobody does."""

    covariates_NF: Array
    """First score, its square, days since onset and age."""
    asked_N: NDArray[np.bool_]
    score_N2: Array
    """Score at the end under usual care and under the plan: only one of them is ever seen."""
    effect_N: Array
    """True gain of the plan over usual care, in points of the score's own level."""
    walking_N2: Array
    """Walking speed at the first visit and at the end, m/s."""

    @property
    def score_N(self) -> Array:
        """The score that came."""
        return np.where(self.asked_N, self.score_N2[:, 1], self.score_N2[:, 0])


def draw_cohort(scenario: Scenario, seed: int, shards: int) -> Cohort:
    """Draw the people on either plan, with the visit that is nearest to its end."""
    drawn = [_of_shard(draw_subjects(shard, seed, scenario)) for shard in range(shards)]
    return Cohort(*(np.concatenate(part) for part in zip(*drawn, strict=True)))


def _of_shard(people: Subjects) -> tuple[Array, NDArray[np.bool_], Array, Array, Array]:
    names = list(PLANS)
    usual, other = names.index(USUAL), names.index(ASKED)
    row_N = np.arange(len(people.plan))
    late_NV = np.abs(people.visit_day - people.enrolment[:, None] - PLAN_DAYS)
    end_N = late_NV.argmin(axis=1)
    first_N = people.scores[FUGL_MEYER.code][:, 0]
    age_N = people.facts["REHABCAST//AGE"].to_numpy(np.float64)
    covariates_NF = np.stack([first_N, first_N**2, people.enrolment, age_N], axis=1)
    level_NP = people.level[row_N, :, end_N]
    walking_NV = people.scores[WALKING]
    kept_N = np.isin(people.plan, (usual, other)) & np.isfinite(covariates_NF).all(axis=1)
    return (
        covariates_NF[kept_N], people.plan[kept_N] == other,
        people.score[row_N, :, end_N][kept_N][:, [usual, other]],
        (level_NP[:, other] - level_NP[:, usual])[kept_N],
        np.stack([walking_NV[:, 0], walking_NV[row_N, end_N]], axis=1)[kept_N],
    )  # fmt: skip


def claims(estimate: Estimate) -> bool:
    """Tell whether a direction is claimed, by the rule of every answer about plans."""
    if estimate.standard_error == 0:
        return estimate.value != 0
    chance_better = float(ndtr(estimate.value / estimate.standard_error))
    return direction(chance_better, 1 - chance_better) != "not certain"


@dataclass(frozen=True)
class Advice:
    """What choosing for each person the plan that looked better would have been worth."""

    truth: float
    """Mean score under it."""
    own_account: float
    """Mean of what the models that chose expected."""
    found: PolicyValue


@dataclass(frozen=True)
class Answer:
    """What was found in one cohort beside its truth, in points."""

    truth: float
    naive: float
    adjusted: Estimate
    paper: Estimate
    """Of the plan on paper only, everybody treated as usual: an exposure that cannot act."""
    walking: Estimate
    """On walking speed in m/s: an outcome that dose cannot change."""
    advice: Advice
    pehe: float
    """Root mean squared error of each person's effect."""
    pehe_of_mean: float
    """Of giving everybody the mean effect as found."""
    pehe_of_none: float
    """Of saying that nobody gains."""
    hidden: float
    """Odds of a hidden confounder from which the range holds the truth; infinite above 3."""
    at_strongest: tuple[float, float]
    """The range at odds of 3."""

    @property
    def held(self) -> bool:
        """Tell whether the interval holds the truth."""
        return self.adjusted.lower <= self.truth <= self.adjusted.upper

    @property
    def claims_sign(self) -> bool:
        """Tell whether a direction is claimed."""
        return claims(self.adjusted)


def answer(cohort: Cohort, seed: int) -> Answer:
    """Estimate the effect from what a clinic sees."""
    who_N = np.arange(len(cohort.asked_N))
    asked_N = cohort.asked_N

    def adjusted(outcome_N: Array, covariates_NF: Array) -> tuple[Estimate, Nuisances]:
        fitted = cross_fit(covariates_NF, asked_N, outcome_N, who_N, seed=seed)
        return average_effect(outcome_N, asked_N, fitted, who_N), fitted

    def missed(effect: Array | float) -> float:
        return float(np.sqrt(np.mean((effect - cohort.effect_N) ** 2)))

    found, fitted = adjusted(cohort.score_N, cohort.covariates_NF)
    first_N, last_N = cohort.walking_N2.T
    curve = sensitivity_curve(cohort.score_N, asked_N, fitted.propensity_N)
    truth = float(cohort.effect_N.mean())
    reached = curve.reaches(truth)
    return Answer(
        truth,
        float(cohort.score_N[asked_N].mean() - cohort.score_N[~asked_N].mean()),
        found,
        adjusted(cohort.score_N2[:, 0], cohort.covariates_NF)[0],
        adjusted(last_N, np.column_stack([cohort.covariates_NF, first_N]))[0],
        _advice(cohort, fitted, who_N, seed),
        missed(fitted.treated_N - fitted.untreated_N), missed(found.value), missed(0.0),
        np.inf if reached is None else reached,
        (float(curve.lower_L[-1]), float(curve.upper_L[-1])),
    )  # fmt: skip


def _advice(cohort: Cohort, fitted: Nuisances, who_N: NDArray[np.int64], seed: int) -> Advice:
    """Advise each person the plan that models of the others expect more of, and value that."""
    expected_N2 = np.stack([fitted.untreated_N, fitted.treated_N], axis=1)
    advised_N = expected_N2.argmax(axis=1)
    behaviour_N2 = np.stack([1 - fitted.propensity_N, fitted.propensity_N], axis=1)
    return Advice(
        float(cohort.score_N2[who_N, advised_N].mean()),
        float(expected_N2.max(axis=1).mean()),
        policy_value(
            cohort.score_N, cohort.asked_N.astype(np.int64), behaviour_N2, np.eye(2)[advised_N],
            expected_N2, who_N, widest=WIDEST, seed=seed,
        ),
    )  # fmt: skip


def with_therapy(scenario: Scenario, truth: Truth, confounding: float) -> Scenario:
    """Return a scenario with another truth of dose and another confounding."""
    therapy = replace(scenario.therapy, truth=truth, confounding=confounding)
    return replace(scenario, therapy=therapy)
