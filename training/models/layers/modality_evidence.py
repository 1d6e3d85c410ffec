"""What a modality makes of itself: a tilt of the population, and features for the residual.

Letters: B pairs, T days, W weeks, C channels, S summaries, M modalities, F features of a modality,
P curves, J features of a curve, R residual features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.layers.emissions import window_sums
from training.models.layers.recovery_curves import GROUPS, RATE, START, TIME, level
from training.models.layers.sequence_encoders import SUMMARIES

RESIDUALS = 8
WEEK_DAYS = 7
POPULATION_FEATURES = GROUPS + 5
MOMENT_FEATURES = 4


class Opinion(nn.Module):
    """What a modality says: a tilt of the population, and features for the residual."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.bend = nn.Sequential(nn.Linear(width, hidden), nn.SiLU())
        self.tilt = nn.Linear(width + hidden, POPULATION_FEATURES + MOMENT_FEATURES)
        self.residual = nn.Linear(width, RESIDUALS)
        nn.init.zeros_(self.tilt.weight)
        nn.init.zeros_(self.tilt.bias)

    def forward(self, x_BF: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights of a curve's features, (B, J), and residual features (B, R)."""
        tilt_BJ = self.tilt(torch.cat([x_BF, self.bend(x_BF)], dim=-1))
        return tilt_BJ, torch.tanh(self.residual(x_BF))


class WeeklyOpinion(nn.Module):
    """The opinion of a modality's days, read by weeks beside a summary of each channel.

    Few weeks of means and counts need no recurrence: a layer over all of them forecasts no worse
    than a GRU stepping over them, and a training step costs a sixth less.
    """

    def __init__(self, channels: int, days: int, hidden: int) -> None:
        super().__init__()
        weeks = -(-days // WEEK_DAYS)
        self.weeks = nn.Sequential(nn.Linear(2 * channels * weeks, hidden), nn.SiLU())
        self.opinion = Opinion(hidden + SUMMARIES * channels, hidden)

    def forward(self, weeks_BWC: Tensor, summary_BSC: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `Opinion` does, from means and counts by week, and summaries."""
        read_BH = self.weeks(weeks_BWC.flatten(1))
        told: tuple[Tensor, Tensor] = self.opinion(
            torch.cat([read_BH, summary_BSC.flatten(1)], dim=-1)
        )
        return told


def weekly(x_BTC: Tensor, seen_BTC: Tensor) -> Tensor:
    """Return each channel's mean by week and the log of its number of days, (B, W, 2 C)."""
    sum_BWC, count_BWC = window_sums(torch.cat([x_BTC, seen_BTC], dim=-1), WEEK_DAYS).chunk(2, -1)
    return torch.cat([sum_BWC / count_BWC.clamp(min=1), torch.log1p(count_BWC)], dim=-1)


def tilted(tilt_BMJ: Tensor, feature_PJ: Tensor, moment_BPJ: Tensor) -> Tensor:
    """Return how much each modality's tilt prefers each curve, log evidence (B, M, P)."""
    of_curve_BMJ = tilt_BMJ[..., :POPULATION_FEATURES]
    of_moment_BMJ = tilt_BMJ[..., POPULATION_FEATURES:]
    return of_curve_BMJ @ feature_PJ.T + of_moment_BMJ @ moment_BPJ.transpose(1, 2)


def curve_features(latent_P3: Tensor, group_P: Tensor) -> Tensor:
    """Return what a tilt can prefer a curve for, (P, J): its group, course and capacity."""
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


def moment_features(latent_P3: Tensor, onset_B: Tensor) -> Tensor:
    """Return what a tilt can prefer a curve for at the origin, (B, P, J).

    Its level and its recent weekly gain, with their squares: so a modality can say "the level is
    now about so much".
    """
    now_BP = level(latent_P3, onset_B[:, None])
    back_B = onset_B.clamp(min=1, max=2 * WEEK_DAYS)[:, None]
    before_BP = level(latent_P3, (onset_B[:, None] - back_B).clamp(min=0))
    gain_BP = 8 * WEEK_DAYS * (now_BP - before_BP) / back_B
    away_BP = 8 * (now_BP - 0.5)
    return torch.stack([away_BP, away_BP**2, gain_BP, gain_BP**2], dim=-1)
