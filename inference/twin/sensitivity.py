"""How strong a confounder that nobody recorded would have to be, to explain an effect away.

Letters: N people, L strengths of a confounder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]

RISK_RATIO_PER_SD = 0.91
"""Logarithm of the approximate risk ratio for a difference of one standard deviation: half that of
the odds ratio, 1.81 (VanderWeele & Ding 2017, after Chinn 2000)."""

STRENGTHS = tuple(round(1 + step / 8, 3) for step in range(17))
"""Where a curve is drawn: from no confounder (1) to one that triples the odds of a treatment."""


@dataclass(frozen=True)
class EValue:
    """The weakest confounder that explains an effect away, on the scale of risk ratios.

    It would have to be that strongly associated with the treatment and with the outcome, beyond
    everything recorded. 1 is none: anything would do.
    """

    estimate: float
    """For the effect as estimated."""
    limit: float
    """For the limit of its interval that is closer to no effect; 1 where the interval holds 0."""


def e_value(effect: float, standard_error: float, outcome_sd: float, level: float = 0.98) -> EValue:
    """Return the E-value of a difference of means (VanderWeele & Ding 2017).

    The difference in standard deviations d becomes a risk ratio exp(0.91 d); of a risk ratio R > 1
    the E-value is R + sqrt(R (R - 1)).

    Parameters
    ----------
    effect, standard_error, outcome_sd
        In the unit of the outcome; a benefit and a harm of one size have one E-value.
    level
        Of the interval whose limit is explained away; by default that by which a direction is
        claimed (`inference.twin.compare.CLAIMED`).

    Raises
    ------
    ValueError
        If a number is not finite, the standard error is negative, the deviation not positive or
        the level not between 0 and 1.
    """
    if not all(map(math.isfinite, (effect, standard_error, outcome_sd))):
        raise ValueError("an E-value needs a finite effect, standard error and deviation")
    if standard_error < 0 or outcome_sd <= 0 or not 0 < level < 1:
        raise ValueError(
            "an E-value needs a standard error >= 0, a deviation > 0, a level in (0, 1)"
        )
    nearest = abs(effect) - float(ndtri((1 + level) / 2)) * standard_error
    return EValue(
        _strength(abs(effect) / outcome_sd),
        _strength(max(nearest, 0.0) / outcome_sd),
    )


def _strength(standardised: float) -> float:
    """Return the E-value of a difference in standard deviations, at least 0."""
    ratio = math.exp(RISK_RATIO_PER_SD * standardised)
    return ratio + math.sqrt(ratio * (ratio - 1))


def hidden_shift(strength_L: Array, outcome_sd: float) -> Array:
    """Return how far a confounder may have moved an effect, by its strength, in points.

    The bound of Ding & VanderWeele 2016 for a confounder whose risk ratios with treatment and
    outcome are both R, B = R^2 / (2 R - 1), on the scale of `e_value`: at the E-value of an effect
    the shift is the effect. Needs no data of people, so that a service can draw it.

    Parameters
    ----------
    strength_L
        Risk ratios, at least 1.

    Raises
    ------
    ValueError
        If a strength is below 1.
    """
    strength_L = np.asarray(strength_L, dtype=np.float64)
    if (strength_L < 1).any():
        raise ValueError("the strength of a confounder is a risk ratio of at least 1")
    return outcome_sd * np.log(strength_L**2 / (2 * strength_L - 1)) / RISK_RATIO_PER_SD


@dataclass(frozen=True)
class SensitivityCurve:
    """Between what the effect may lie, by the strength of a confounder that nobody recorded."""

    strength_L: Array
    """Within what factor the odds of treatment may differ for people who are recorded alike."""
    lower_L: Array
    upper_L: Array

    def reaches(self, value: float) -> float | None:
        """Return the strength at which the range first holds a value; None where it never does."""
        if self.lower_L[0] <= value <= self.upper_L[0]:
            return float(self.strength_L[0])
        if value < self.lower_L[0]:
            end_L, at = -self.lower_L, -value
        else:
            end_L, at = self.upper_L, value
        return float(np.interp(at, end_L, self.strength_L)) if at <= end_L[-1] else None


def sensitivity_curve(
    outcome_N: Array,
    treated_N: NDArray[np.bool_],
    propensity_N: Array,
    strength_L: Array | None = None,
) -> SensitivityCurve:
    """Bound the average effect under the marginal sensitivity model.

    Tan 2006: given a hidden confounder too, each person's odds of treatment are within a factor L
    of those given what is recorded. Then the weight of a treated person lies between
    1 + (1/e - 1)/L and 1 + (1/e - 1) L. The extremes of a weighted mean are where weights step once
    from one end to the other in the order of outcomes (Zhao, Small & Bhattacharya 2019). These
    bounds are wider than need be (Dorn & Guo 2023 sharpen them), and hold no sampling error. At
    L = 1 both are the weighted means' difference.

    Parameters
    ----------
    propensity_N
        Estimated probability of treatment given what is recorded, between 0 and 1.

    Raises
    ------
    ValueError
        If one of the arms is empty, an outcome is not finite, a propensity is not between 0 and 1,
        or strengths do not rise from 1 or more.
    """
    strengths = np.array(STRENGTHS if strength_L is None else strength_L, dtype=np.float64)
    treated_N = np.asarray(treated_N, dtype=bool)
    if treated_N.all() or not treated_N.any():
        raise ValueError("a sensitivity curve needs treated and untreated people")
    if not ((propensity_N > 0) & (propensity_N < 1) & np.isfinite(outcome_N)).all():
        raise ValueError("outcomes are finite and a propensity lies between 0 and 1")
    if strengths[0] < 1 or (np.diff(strengths) <= 0).any():
        raise ValueError("strengths of a confounder are factors of at least 1, in rising order")
    one = _extreme_means(outcome_N[treated_N], propensity_N[treated_N], strengths)
    none = _extreme_means(outcome_N[~treated_N], 1 - propensity_N[~treated_N], strengths)
    return SensitivityCurve(strengths, one[0] - none[1], one[1] - none[0])


def _extreme_means(outcome_N: Array, chance_N: Array, strength_L: Array) -> tuple[Array, Array]:
    """Return the least and the largest weighted mean of one arm, by strength."""
    order_N = np.argsort(outcome_N)
    outcome_N = outcome_N[order_N]
    against_N = 1 / chance_N[order_N] - 1
    ends = []
    for strength in strength_L:
        light_N, heavy_N = 1 + against_N / strength, 1 + against_N * strength
        ends.append((
            _means_by_step(outcome_N, heavy_N, light_N).min(),
            _means_by_step(outcome_N, light_N, heavy_N).max(),
        ))  # fmt: skip
    low_L, high_L = np.array(ends).T
    return low_L, high_L


def _means_by_step(outcome_N: Array, first_N: Array, then_N: Array) -> Array:
    """Return weighted means with the first k people weighted one way, the others the other way."""

    def sums(value_N: Array | float) -> Array:
        head = np.concatenate([[0.0], np.cumsum(first_N * value_N)])
        tail = np.concatenate([[0.0], np.cumsum((then_N * value_N)[::-1])])[::-1]
        return np.asarray(head + tail, dtype=np.float64)

    return np.asarray(sums(outcome_N) / sums(1.0), dtype=np.float64)


def effective_sample_size(weight_N: Array) -> float:
    """Return how many equally weighted people say as much (Kish 1965): (sum w)^2 / sum w^2.

    0 where all weights are 0.

    Raises
    ------
    ValueError
        If a weight is negative or not finite.
    """
    if not (np.isfinite(weight_N) & (weight_N >= 0)).all():
        raise ValueError("weights of people are finite and at least 0")
    squares = float(np.square(weight_N).sum())
    return float(weight_N.sum()) ** 2 / squares if squares else 0.0
