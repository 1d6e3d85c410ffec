"""Recovery curves in closed form, and the likelihood of observed scores given a curve.

A curve is a level on the share of the scale, 0 to 1. From its start at onset it moves toward a
capacity, start + rate (1 - start), with a time constant. Whoever is enrolled begins therapy and
learns the assessment, years after onset too: from enrolment on the level gains an amount in logits,
with a time constant of its own. Each curve belongs to one of five groups.

Letters: B pairs, G groups, P curves, W windows of past days, H horizons.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import norm, qmc
from torch import Tensor, nn

from contracts.priors import GROUPS, RecoveryPrior

START, RATE, TIME, GAIN = range(4)

SMALLEST_PROBABILITY = 1e-12

GAIN_SPREAD, GAIN_DAYS = 0.3, 14.0
"""SD of curves in logits gained after enrolment, and their time constant, before learning."""

LARGEST_LATENT = 12.0
"""Beyond it a logit is an end of the scale, and a time constant is 0 or 400 years."""


class RecoveryCurves(nn.Module):
    """A learned population of recovery curves: fixed low-discrepancy draws around learned groups.

    Parameters
    ----------
    per_group
        Number of curves in each group, a power of 2.
    prior
        The population that it is before anything is learned.
    """

    normal_P4: Tensor
    group_P: Tensor

    def __init__(self, per_group: int, prior: RecoveryPrior) -> None:
        super().__init__()
        sobol = qmc.Sobol(4, rng=np.random.default_rng(0)).random(per_group)
        normal = torch.from_numpy(norm.ppf(sobol)).float()
        self.per_group = per_group
        self.register_buffer("normal_P4", normal.repeat(GROUPS, 1))
        self.register_buffer("group_P", torch.arange(GROUPS).repeat_interleave(per_group))
        groups = prior.groups
        start = torch.tensor([group.start_mean for group in groups])
        rate, time = torch.tensor([group.rate for group in groups]), torch.tensor(prior.times_days)
        means = torch.stack([start, torch.logit(rate), time.log()], dim=1)
        spreads = torch.tensor(
            [[group.start_spread, prior.rate_spread, prior.time_spread] for group in groups]
        )
        self.mean_G3 = nn.Parameter(means)
        self.log_spread_G3 = nn.Parameter(spreads.log())
        self.share_logit_G = nn.Parameter(torch.tensor([group.share for group in groups]).log())
        self.gain_G = nn.Parameter(torch.zeros(GROUPS))
        self.log_gain_spread = nn.Parameter(torch.tensor(GAIN_SPREAD).log())
        self.log_gain_days = nn.Parameter(torch.tensor(GAIN_DAYS).log())

    def latent(self) -> Tensor:
        """Return logit start, logit rate and log time constant in days of each curve, (P, 3)."""
        normal_GN3 = self.normal_P4[:, :3].reshape(GROUPS, self.per_group, 3)
        drawn_GN3 = self.mean_G3[:, None] + self.log_spread_G3.exp()[:, None] * normal_GN3
        latent_P3 = drawn_GN3.flatten(0, 1)
        return latent_P3.clamp(-LARGEST_LATENT, LARGEST_LATENT)

    def gain(self) -> Tensor:
        """Return what each curve gains in all after enrolment, (P,), in logits."""
        spread_P = self.log_gain_spread.exp() * self.normal_P4[:, GAIN]
        return self.expand_groups(self.gain_G) + spread_P

    def after_enrolment(self, level: Tensor, days: Tensor) -> Tensor:
        """Return levels with what is gained in `days` after enrolment, on the share of the scale.

        Parameters
        ----------
        level, days
            Levels of the curves, (..., P), and days since enrolment, (..., 1).
        """
        odds = torch.exp(self.gained(days).to(level.dtype))
        return level * odds / (1 - level + level * odds)

    def gained(self, days: Tensor) -> Tensor:
        """Return the logits that each curve gained in `days` after enrolment, (..., P)."""
        complete = 1 - torch.exp(-days.clamp(min=0) / self.log_gain_days.exp())
        return self.gain() * complete

    def gain_parameters(self) -> list[nn.Parameter]:
        """Return what says how much is gained after enrolment, and how fast."""
        return [self.gain_G, self.log_gain_spread, self.log_gain_days]

    def log_weight(self) -> Tensor:
        """Return the log of each curve's share of the population, up to a constant, (P,)."""
        return self.expand_groups(self.share_logit_G)

    def expand_groups(self, x_G: Tensor) -> Tensor:
        """Repeat each group's value for its curves, (..., G) to (..., P)."""
        return x_G[..., None].expand(*x_G.shape, self.per_group).flatten(-2)

    def strata(self) -> Tensor:
        """Return each curve's stratum as one-hot rows, (P, S).

        The 2 G strata are the lower and the upper half of the rate in each group. Within a stratum,
        curves are similar enough to be summarised by a mean and a variance; four strata per group
        forecast no better on the real stroke cohort.
        """
        half_P = (self.normal_P4[:, RATE] > 0).long()
        return nn.functional.one_hot(2 * self.group_P + half_P, 2 * GROUPS).float()


def precision(module: nn.Module) -> torch.dtype:
    """Return in which precision a module adds up evidence: double, but single while it learns.

    Evidence of thousands differs by units between the curves that count. In single precision the
    order of summation would decide about a thousandth of a point and more, so that reasons would
    not add up and exported graphs would differ. A gradient needs no more than seven digits, at
    half of the time.
    """
    return torch.float32 if module.training else torch.float64


def level(latent_P3: Tensor, days: Tensor) -> Tensor:
    """Return each curve's level, `days` after onset; `days` is broadcast over a last axis P."""
    start_P, rate_P = torch.sigmoid(latent_P3[:, START]), torch.sigmoid(latent_P3[:, RATE])
    # In the same steps as `lead`, so that a graph has them once.
    completed = 1 - torch.exp(-(days / latent_P3[:, TIME].exp()))
    return start_P + rate_P * (1 - start_P) * completed


def lead(latent_P3: Tensor, days: Tensor) -> Tensor:
    """Return how far a channel that recovers faster is ahead of the level, per unit of log pace.

    This is the derivative of the level with respect to the log of time: a channel that recovers c
    times as fast is ahead of the level by about log(c) times this.
    """
    start_P, rate_P = torch.sigmoid(latent_P3[:, START]), torch.sigmoid(latent_P3[:, RATE])
    elapsed = days / latent_P3[:, TIME].exp()
    return rate_P * (1 - start_P) * elapsed * torch.exp(-elapsed)


def level_at_horizons(latent_P3: Tensor, onset_B: Tensor, ahead_BHP: Tensor) -> Tensor:
    """Return each curve's level at the horizons, (B, H, P).

    Parameters
    ----------
    onset_B
        Days since onset at the origin.
    ahead_BHP
        Effective days from the origin to each horizon: calendar days, each multiplied by the factor
        by which the dose speeds recovery up. This keeps the closed form for piecewise constant
        rates.
    """
    start_P, rate_P = torch.sigmoid(latent_P3[:, START]), torch.sigmoid(latent_P3[:, RATE])
    capacity_P = start_P + rate_P * (1 - start_P)
    now_BP = level(latent_P3, onset_B[:, None])
    remaining_BHP = torch.exp(-ahead_BHP / latent_P3[:, TIME].exp())
    return capacity_P - (capacity_P - now_BP)[:, None] * remaining_BHP


def score_log_likelihood(
    level_BWP: Tensor, share_BW: Tensor, count_BW: Tensor, log_noise: Tensor
) -> Tensor:
    """Return the log likelihood of the past scores given each curve, (B, P).

    A score at an end of the scale is censored: the level may lie beyond it.

    Parameters
    ----------
    level_BWP
        Level of each curve on the days of the scores.
    share_BW, count_BW
        Mean score on the share of the scale, and number of scores (0 for an empty window).
    log_noise
        Log SD of one score around its curve.
    """
    seen_BW1 = count_BW.clamp(max=1)[:, :, None]
    spread_BW1 = log_noise.exp() / count_BW.clamp(min=1).sqrt()[:, :, None]
    z_BWP = (share_BW[:, :, None] - level_BWP) / spread_BW1
    inside_BWP = log_density(z_BWP, spread_BW1)
    at_low_BW1 = (share_BW <= 0).float()[:, :, None]
    at_high_BW1 = (share_BW >= 1).float()[:, :, None]
    # Censored at the low end: the probability of a score at or below it, so z keeps its sign.
    censored_BWP = log_censored(z_BWP * (at_low_BW1 - at_high_BW1))
    at_end_BW1 = at_low_BW1 + at_high_BW1
    log_likelihood_BWP = at_end_BW1 * censored_BWP + (1 - at_end_BW1) * inside_BWP
    return (seen_BW1 * log_likelihood_BWP).sum(dim=1)


def log_density(z: Tensor, spread: Tensor) -> Tensor:
    """Return the log density of a score between the ends of the scale, up to a constant."""
    return -0.5 * z**2 - spread.log()


def log_censored(z: Tensor) -> Tensor:
    """Return the log probability of a score at or beyond an end of the scale."""
    # ONNX Runtime has no error function in double precision.
    return torch.log(normal_cdf(z.float()) + SMALLEST_PROBABILITY)


def normal_cdf(z: Tensor) -> Tensor:
    """Return the standard normal distribution function."""
    return 0.5 * (1 + torch.erf(z / 2**0.5))
