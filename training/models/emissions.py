"""What the days of every channel say of the level: each channel reads it, with its own error.

A standardised value is a straight line and a bend in the level, plus what is peculiar to the person
and stays (a random intercept), plus what differs from day to day. All is normal, so the evidence of
a channel for a curve has a closed form and needs five learned numbers, where a network that had to
find out the same would need hundreds of subjects.

Letters: B pairs, T days, W windows, C channels, P curves.
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
    """The readings of all channels."""

    window_WT: Tensor

    def __init__(self, channels: int, days: int) -> None:
        super().__init__()
        self.register_buffer("window_WT", windows(days, WINDOW_DAYS))
        self.intercept_C = nn.Parameter(torch.zeros(channels))
        self.slope_C = nn.Parameter(torch.zeros(channels))
        self.bend_C = nn.Parameter(torch.zeros(channels))
        self.log_daily_C = nn.Parameter(torch.zeros(channels))
        self.log_lasting_C = nn.Parameter(torch.zeros(channels))

    def days(self, days_BT: Tensor) -> Tensor:
        """Return the middle of each window in days since onset, (B, W)."""
        after_BT = (days_BT >= 0).to(days_BT)
        days_BW = (days_BT * after_BT) @ self.window_WT.T
        return days_BW / (after_BT @ self.window_WT.T).clamp(min=1)

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor, level_BWP: Tensor) -> Tensor:
        """Return the log likelihood of each channel's days on each curve, (B, C, P).

        Up to what is the same for every curve.

        Parameters
        ----------
        x_BTC, seen_BTC
            Standardised values, 0 where not seen, and what was seen.
        level_BWP
            Level of each curve in the middle of each window.
        """
        count_BCW = (self.window_WT @ seen_BTC).transpose(1, 2)
        mean_BCW = (self.window_WT @ x_BTC).transpose(1, 2) / count_BCW.clamp(min=1)
        precision_BCW = count_BCW * torch.exp(-2 * self.log_daily_C)[:, None]
        away_BCW = precision_BCW * (mean_BCW - self.intercept_C[:, None])
        centred_BWP = 2 * level_BWP - 1
        square_BWP = centred_BWP**2
        slope_C1, bend_C1 = self.slope_C[:, None], self.bend_C[:, None]
        # Sums over windows of precision times (reading - intercept - f)^k, f = slope L + bend L^2.
        f_BCP = slope_C1 * (precision_BCW @ centred_BWP) + bend_C1 * (precision_BCW @ square_BWP)
        ff_BCP = (
            slope_C1**2 * (precision_BCW @ square_BWP)
            + 2 * slope_C1 * bend_C1 * (precision_BCW @ (centred_BWP * square_BWP))
            + bend_C1**2 * (precision_BCW @ square_BWP**2)
        )
        cross_BCP = slope_C1 * (away_BCW @ centred_BWP) + bend_C1 * (away_BCW @ square_BWP)
        first_BCP = away_BCW.sum(dim=-1, keepdim=True) - f_BCP
        second_BCP = ff_BCP - 2 * cross_BCP
        total_BC1 = precision_BCW.sum(dim=-1, keepdim=True)
        lasting_C1 = torch.exp(-2 * self.log_lasting_C)[:, None]
        # The random intercept, integrated out.
        return -0.5 * (second_BCP - first_BCP**2 / (total_BC1 + lasting_C1))

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


def windows(days: int, length: int) -> Tensor:
    """Return which of the windows, aligned with the last day, holds each day, (W, T) of 0 and 1."""
    number_T = torch.div(torch.arange(days) - days, length, rounding_mode="floor")
    return nn.functional.one_hot(number_T - number_T[0]).T.float()
