"""What a modality makes of itself: a tilt of the population, and features for the residual.

Letters: B pairs, T days, W windows, C channels of one modality, F features of a modality, P curves,
J features of a curve, R residual features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.emissions import windows
from training.models.recovery import GROUPS, RATE, START, TIME, level
from training.models.series import day_weights, summary

RESIDUALS = 8
WINDOW_DAYS = 7
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

    def forward(
        self, x_BF: Tensor, feature_PJ: Tensor, moment_BPJ: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return log evidence (B, P) and residual features (B, R)."""
        tilt_BJ = self.tilt(torch.cat([x_BF, self.bend(x_BF)], dim=-1))
        said_BP = tilt_BJ[:, :POPULATION_FEATURES] @ feature_PJ.T
        said_BP = said_BP + (moment_BPJ @ tilt_BJ[:, POPULATION_FEATURES:, None]).squeeze(-1)
        return said_BP, torch.tanh(self.residual(x_BF))


class WindowEncoder(nn.Module):
    """Encodes the days of one modality by weeks, beside a summary of each channel.

    Few weeks of means and counts need no recurrence: a layer over all of them forecasts no worse
    than a GRU stepping over them, and a training step costs a sixth less.
    """

    weight_T: Tensor
    window_WT: Tensor

    def __init__(self, channels: int, days: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("weight_T", day_weights(days))
        self.register_buffer("window_WT", windows(days, WINDOW_DAYS))
        self.weeks = nn.Sequential(nn.Linear(2 * channels * len(self.window_WT), hidden), nn.SiLU())

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor) -> Tensor:
        """Return features (B, F); values are standardised and 0 where not seen."""
        count_BWC = self.window_WT @ seen_BTC
        mean_BWC = (self.window_WT @ (x_BTC * seen_BTC)) / count_BWC.clamp(min=1)
        weeks_BWC = torch.cat([mean_BWC, torch.log1p(count_BWC)], dim=-1)
        summed = summary(x_BTC, seen_BTC, self.weight_T)
        return torch.cat([self.weeks(weeks_BWC.flatten(1)), summed], dim=-1)


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
    back_B = onset_B.clamp(min=1, max=2 * WINDOW_DAYS)[:, None]
    before_BP = level(latent_P3, (onset_B[:, None] - back_B).clamp(min=0))
    gain_BP = 8 * WINDOW_DAYS * (now_BP - before_BP) / back_B
    away_BP = 8 * (now_BP - 0.5)
    return torch.stack([away_BP, away_BP**2, gain_BP, gain_BP**2], dim=-1)
