"""What the days of every channel say of the level: each channel reads it, with its own error.

A standardised value is a straight line and a bend in the level, plus what is peculiar to the person
and stays (a random intercept), plus what differs from day to day. All is normal, so the evidence of
a channel for a curve has a closed form and needs five learned numbers, where a network that had to
find out the same would need hundreds of subjects.

Letters: B pairs, T days, W windows, C channels, M modalities, P curves, V = 2 W and X = 4 W powers
of the levels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from contracts.sequences import SequenceBatch

WINDOW_DAYS = 3
"""Days that count as one reading at their middle."""

MINIMUM_PAIRS = 10
SMALLEST_VARIANCE = 1e-2


class Emissions(nn.Module):
    """The readings of all channels.

    Parameters
    ----------
    channel_MC
        Which channels each modality reads the level by, 1 or 0.
    """

    channel_MC: Tensor

    def __init__(self, channel_MC: Tensor) -> None:
        super().__init__()
        channels = channel_MC.shape[1]
        self.register_buffer("channel_MC", channel_MC)
        self.intercept_C = nn.Parameter(torch.zeros(channels))
        self.slope_C = nn.Parameter(torch.zeros(channels))
        self.bend_C = nn.Parameter(torch.zeros(channels))
        self.log_daily_C = nn.Parameter(torch.zeros(channels))
        self.log_lasting_C = nn.Parameter(torch.zeros(channels))

    def days(self, days_BT: Tensor) -> Tensor:
        """Return the middle of each window in days since onset, (B, W)."""
        after_BT = (days_BT >= 0).to(days_BT)
        both_BT2 = torch.stack([days_BT * after_BT, after_BT], dim=-1)
        days_BW, after_BW = window_sums(both_BT2, WINDOW_DAYS).unbind(dim=-1)
        return days_BW / after_BW.clamp(min=1)

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor, level_BWP: Tensor) -> Tensor:
        """Return the log likelihood of each modality's days on each curve, (B, M, P).

        Up to what is the same for every curve.

        Parameters
        ----------
        x_BTC, seen_BTC
            Standardised values, 0 where not seen, and what was seen.
        level_BWP
            Level of each curve in the middle of each window.
        """
        sums_BWC = window_sums(torch.cat([seen_BTC, x_BTC], dim=-1), WINDOW_DAYS)
        count_BCW, sum_BCW = sums_BWC.transpose(1, 2).chunk(2, dim=1)
        mean_BCW = sum_BCW / count_BCW.clamp(min=1)
        precision_BCW = count_BCW * torch.exp(-2 * self.log_daily_C)[:, None]
        away_BCW = precision_BCW * (mean_BCW - self.intercept_C[:, None])
        slope_C1, bend_C1 = self.slope_C[:, None], self.bend_C[:, None]
        centred_BWP = 2 * level_BWP - 1
        square_BWP = centred_BWP**2
        line_BVP = torch.cat([centred_BWP, square_BWP], dim=1)
        power_BXP = torch.cat([line_BVP, square_BWP * centred_BWP, square_BWP**2], dim=1)
        # The random intercept integrated out, with f = slope L + bend L^2 the line of a channel:
        # -1/2 [sum p (r - f)^2 - (sum p (r - f))^2 / (sum p + 1 / lasting^2)]. All but the square
        # of sum p f is a polynomial in the levels L, whose coefficients add up over channels.
        lasting_C1 = torch.exp(-2 * self.log_lasting_C)[:, None]
        pooled_BC1 = 1 / (precision_BCW.sum(dim=-1, keepdim=True) + lasting_C1)
        left_BCW = away_BCW - precision_BCW * (away_BCW.sum(dim=-1, keepdim=True) * pooled_BC1)
        coefficient_BCX = torch.cat(
            [
                -2 * slope_C1 * left_BCW,
                slope_C1**2 * precision_BCW - 2 * bend_C1 * left_BCW,
                2 * slope_C1 * bend_C1 * precision_BCW,
                bend_C1**2 * precision_BCW,
            ],
            dim=-1,
        )
        line_BCV = torch.cat([slope_C1 * precision_BCW, bend_C1 * precision_BCW], dim=-1)
        total_BCP = (pooled_BC1.sqrt() * line_BCV) @ line_BVP
        lost_BMP = (self.channel_MC @ coefficient_BCX) @ power_BXP
        # Expanded: the product of two and three dimensions would copy the largest tensor here.
        channel_BMC = self.channel_MC.expand(total_BCP.shape[0], -1, -1)
        return -0.5 * (lost_BMP - torch.bmm(channel_BMC, total_BCP**2))

    def learn(
        self, x_BTC: NDArray[np.float64], train: SequenceBatch, low: float, high: float
    ) -> None:
        """Set the readings to a regression on the last score, a start for the gradient.

        Parameters
        ----------
        x_BTC
            Standardised values.
        """
        level_B = 2 * (train.last_score_B - low) / (high - low) - 1
        for c in range(x_BTC.shape[2]):
            seen_BT = train.observed_BTC[:, :, c]
            count_B = seen_BT.sum(axis=1)
            known_B = (count_B > 0) & ~np.isnan(level_B)
            if known_B.sum() < MINIMUM_PAIRS:
                continue
            mean_B = (x_BTC[:, :, c] * seen_BT).sum(axis=1) / np.maximum(count_B, 1)
            design = np.column_stack([np.ones(known_B.sum()), level_B[known_B]])
            (intercept, slope), *_ = np.linalg.lstsq(design, mean_B[known_B], rcond=None)
            lasting = (mean_B[known_B] - design @ [intercept, slope]).var()
            daily = ((x_BTC[:, :, c] - mean_B[:, None])[seen_BT] ** 2).mean()
            with torch.no_grad():
                self.intercept_C[c], self.slope_C[c] = float(intercept), float(slope)
                self.log_lasting_C[c] = 0.5 * float(np.log(max(lasting, SMALLEST_VARIANCE)))
                self.log_daily_C[c] = 0.5 * float(np.log(max(daily, SMALLEST_VARIANCE)))


def window_sums(x_BTC: Tensor, length: int) -> Tensor:
    """Add up the days of each window, (B, W, C); the last window ends with the last day."""
    # Plain numbers, so that an exported graph keeps only the pairs open.
    days, channels = int(x_BTC.shape[1]), int(x_BTC.shape[2])
    padded_BTC = nn.functional.pad(x_BTC, (0, 0, -days % length, 0))
    return padded_BTC.reshape(-1, -(-days // length), length, channels).sum(dim=2)
