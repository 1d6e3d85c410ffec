"""Evidence of one modality: a learned tilt of the population, and features for the residual.

The tilt is an exponential one: log evidence that is linear in features of the curves.

Letters: B pairs, T days, W weeks, C channels, S summaries, M modalities, F features of a modality,
P curves, J features of a curve, R residual features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contracts.priors import GROUPS
from training.models.layers.emissions import window_sums
from training.models.layers.recovery_curves import RATE, START, TIME, level
from training.models.layers.sequence_encoders import SUMMARIES_PER_CHANNEL

RESIDUALS = 8
WEEK_DAYS = 7
POPULATION_FEATURES = GROUPS + 5
ORIGIN_FEATURES = 4


class ModalityEvidence(nn.Module):
    """Maps the features of a modality to a tilt of the population and to residual features."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.nonlinear = nn.Sequential(nn.Linear(width, hidden), nn.SiLU())
        self.tilt = nn.Linear(width + hidden, POPULATION_FEATURES + ORIGIN_FEATURES)
        self.residual = nn.Linear(width, RESIDUALS)
        nn.init.zeros_(self.tilt.weight)
        nn.init.zeros_(self.tilt.bias)

    def forward(self, x_BF: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of a curve's features, (B, J), and residual features (B, R)."""
        tilt_BJ = self.tilt(torch.cat([x_BF, self.nonlinear(x_BF)], dim=-1))
        return tilt_BJ, torch.tanh(self.residual(x_BF))


class SeriesEvidence(nn.Module):
    """The evidence of a modality that changes by day, from weekly means and channel summaries.

    A few weeks of means and counts need no recurrence: one layer over all of them forecasts no
    worse than a GRU that steps through them, and a training step costs a sixth less.
    """

    def __init__(self, channels: int, days: int, hidden: int) -> None:
        super().__init__()
        weeks = -(-days // WEEK_DAYS)
        self.weeks = nn.Sequential(nn.Linear(2 * channels * weeks, hidden), nn.SiLU())
        self.evidence = ModalityEvidence(hidden + SUMMARIES_PER_CHANNEL * channels, hidden)

    def forward(self, weeks_BWC: Tensor, summary_BSC: Tensor) -> tuple[Tensor, Tensor]:
        """Return tilt and residual features, as `ModalityEvidence` does.

        Parameters
        ----------
        weeks_BWC, summary_BSC
            `weekly_means_and_counts` and `channel_summary` of the modality's channels.
        """
        encoded_BH = self.weeks(weeks_BWC.flatten(1))
        tilt_and_residual: tuple[Tensor, Tensor] = self.evidence(
            torch.cat([encoded_BH, summary_BSC.flatten(1)], dim=-1)
        )
        return tilt_and_residual


def weekly_means_and_counts(x_BTC: Tensor, seen_BTC: Tensor) -> Tensor:
    """Return each channel's weekly mean and the log of its number of days, (B, W, 2 C)."""
    sum_BWC, count_BWC = window_sums(torch.cat([x_BTC, seen_BTC], dim=-1), WEEK_DAYS).chunk(2, -1)
    return torch.cat([sum_BWC / count_BWC.clamp(min=1), torch.log1p(count_BWC)], dim=-1)


def tilt_log_evidence(tilt_BMJ: Tensor, curve_PJ: Tensor, origin_BPJ: Tensor) -> Tensor:
    """Return how strongly each modality's tilt favours each curve, log evidence (B, M, P).

    Parameters
    ----------
    curve_PJ, origin_BPJ
        `curve_features` and `origin_features`.
    """
    curve_tilt_BMJ = tilt_BMJ[..., :POPULATION_FEATURES]
    origin_tilt_BMJ = tilt_BMJ[..., POPULATION_FEATURES:]
    return curve_tilt_BMJ @ curve_PJ.T + origin_tilt_BMJ @ origin_BPJ.transpose(1, 2)


def curve_features(latent_P3: Tensor, group_P: Tensor) -> Tensor:
    """Return the features of a curve that a tilt can favour: course, capacity, group, (P, J)."""
    capacity_P = level(latent_P3, torch.tensor(1e6))
    course = [
        latent_P3[:, START] / 3,
        latent_P3[:, RATE] / 3,
        latent_P3[:, TIME] - 3,
        4 * (capacity_P - 0.5),
        (4 * (capacity_P - 0.5)) ** 2,
    ]
    groups_PG = nn.functional.one_hot(group_P, GROUPS).float()
    return torch.cat([torch.stack(course, dim=1), groups_PG], dim=1)


def origin_features(latent_P3: Tensor, onset_B: Tensor) -> Tensor:
    """Return the features of a curve at the origin that a tilt can favour, (B, P, J).

    They are its level and its recent weekly gain, with their squares, so that a modality can be
    evidence for a certain level today.
    """
    now_BP = level(latent_P3, onset_B[:, None])
    back_B = onset_B.clamp(min=1, max=2 * WEEK_DAYS)[:, None]
    before_BP = level(latent_P3, (onset_B[:, None] - back_B).clamp(min=0))
    gain_BP = 8 * WEEK_DAYS * (now_BP - before_BP) / back_B
    away_BP = 8 * (now_BP - 0.5)
    return torch.stack([away_BP, away_BP**2, gain_BP, gain_BP**2], dim=-1)
