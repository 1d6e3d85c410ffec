"""What a modality makes of itself: a tilt of the population, and features for the residual.

Letters: B pairs, T days, W windows, C channels of one modality, F features of a modality, P curves,
J features of a curve, R residual features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.recovery import GROUPS, RATE, START, TIME, level
from training.models.series import SUMMARIES, day_weights, summary

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
    """Encodes the days of one modality by weeks: a GRU over window means and counts.

    A GRU that steps over windows instead of days costs a seventh and forecasts no worse
    (docs/benchmarks.md). Beside its state stand the latest values and their change.
    """

    weight_T: Tensor

    def __init__(self, channels: int, days: int, hidden: int) -> None:
        super().__init__()
        self.recurrent = nn.GRU(2 * channels, hidden, batch_first=True)
        self.register_buffer("weight_T", day_weights(days))
        self.width = hidden + SUMMARIES * channels

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor, window_WT: Tensor) -> Tensor:
        """Return features (B, width); values are standardised and 0 where not seen."""
        count_BWC = window_WT @ seen_BTC
        mean_BWC = (window_WT @ (x_BTC * seen_BTC)) / count_BWC.clamp(min=1)
        tokens = torch.cat([mean_BWC, torch.log1p(count_BWC)], dim=-1)
        _, state_1BH = self.recurrent(tokens)
        return torch.cat([state_1BH[0], summary(x_BTC, seen_BTC, self.weight_T)], dim=-1)


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
