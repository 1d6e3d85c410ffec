"""Encoders of the daily values of one modality, for the late-fusion networks.

Each reads standardised values, 0 where not observed, and the mask of what was observed, and returns
one state. Letters: B pairs, T days, C channels of one modality, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

HALF_LIFE_DAYS = 0.5
"""Of the weights that select the most recent value of a channel."""

SUMMARIES_PER_CHANNEL = 4
"""Numbers that `channel_summary` returns for each channel."""

SLOPE_SHRINKAGE = 0.5
"""Squared weeks added to the spread of the days behind a slope: 8 consecutive days have 0.9."""

DILATIONS = (1, 2, 4, 8)
"""Of the convolutions over 3 days: their receptive field is 31 days."""

SequenceCore = Callable[[int, int], nn.Module]
"""Builds, from `channels` and `hidden`, a module that maps values and mask (B, T, C) to (B, H)."""


def recency_weights(days: int) -> Tensor:
    """Return weights (T,) so steep that the weighted mean is the last observed value."""
    return torch.exp2(-torch.arange(days - 1, -1, -1, dtype=torch.float32) / HALF_LIFE_DAYS)


def last_observed(x_BTC: Tensor, seen_BTC: Tensor, weight_T: Tensor) -> Tensor:
    """Return the last observed value of each channel, (B, C); 0 where there is none.

    A weighted mean with very steep weights, because an index that depends on the data would not
    export to ONNX.
    """
    weight_BTC = seen_BTC * weight_T[None, :, None]
    return (weight_BTC * x_BTC).sum(dim=1) / (weight_BTC.sum(dim=1) + 1e-25)


class GruDecay(nn.Module):
    """GRU-D: between observations, values decay to the mean and the state to zero.

    Source: Che 2018 (Recurrent neural networks for multivariate time series with missing values),
    equations 3 to 6, with the channel means at 0 because values are standardised.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(2 * channels, hidden)
        self.value_decay_C = nn.Parameter(torch.full((channels,), 0.1))
        self.state_decay = nn.Linear(channels, hidden)

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor) -> Tensor:
        """Return the state after the last day, (B, H)."""
        state_BH: Tensor = x_BTC.new_zeros(x_BTC.shape[0], self.cell.hidden_size)
        last_BC = torch.zeros_like(x_BTC[:, 0])
        gap_BC = torch.zeros_like(x_BTC[:, 0])
        for x_BC, seen_BC in zip(x_BTC.unbind(dim=1), seen_BTC.unbind(dim=1), strict=True):
            gap_BC = gap_BC + 1
            decayed_BC = last_BC * torch.exp(-nn.functional.relu(self.value_decay_C) * gap_BC)
            input_BC = seen_BC * x_BC + (1 - seen_BC) * decayed_BC
            state_BH = state_BH * torch.exp(-nn.functional.relu(self.state_decay(gap_BC)))
            state_BH = self.cell(torch.cat([input_BC, seen_BC], dim=-1), state_BH)
            last_BC = seen_BC * x_BC + (1 - seen_BC) * last_BC
            gap_BC = gap_BC * (1 - seen_BC)
        return state_BH


class CausalConvolutions(nn.Module):
    """A temporal convolutional network over values and mask, read out at the last day.

    Source: Bai 2018 (An empirical evaluation of generic convolutional and recurrent networks),
    without weight normalisation and dropout.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.enter = nn.Conv1d(2 * channels, hidden, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(hidden, hidden, 3, dilation=dilation) for dilation in DILATIONS
        )

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor) -> Tensor:
        """Return the sum of the last day's features and their mean over days, (B, H)."""
        h_BHT: Tensor = self.enter(torch.cat([x_BTC, seen_BTC], dim=-1).transpose(1, 2))
        for dilation, layer in zip(DILATIONS, self.layers, strict=True):
            padded_BHT = nn.functional.pad(h_BHT, (2 * dilation, 0))
            h_BHT = h_BHT + nn.functional.silu(layer(padded_BHT))
        return h_BHT[..., -1] + h_BHT.mean(dim=-1)


class SequenceEncoder(nn.Module):
    """Joins the state of a sequence core with `channel_summary`.

    A small cohort is not enough to learn those summaries.
    """

    weight_T: Tensor

    def __init__(
        self, core: SequenceCore, channels: int, days: int, hidden: int, embedding: int
    ) -> None:
        super().__init__()
        self.core = core(channels, hidden)
        self.join = nn.Linear(hidden + SUMMARIES_PER_CHANNEL * channels, embedding)
        self.register_buffer("weight_T", recency_weights(days))

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor) -> Tensor:
        """Return embeddings (B, D)."""
        state_BH = self.core(x_BTC, seen_BTC)
        return torch.tanh(
            self.join(torch.cat([state_BH, channel_summary(x_BTC, seen_BTC, self.weight_T)], -1))
        )


def channel_summary(x_BTC: Tensor, seen_BTC: Tensor, weight_T: Tensor) -> Tensor:
    """Return fixed summary features of each channel, (B, 4 C).

    They are the last observed value, its difference from the mean, the slope per week (shrunk
    toward 0, more so the fewer and closer the days are), and the log of the number of days
    observed.
    """
    last_BC = last_observed(x_BTC, seen_BTC, weight_T)
    count_BC = seen_BTC.sum(dim=1)
    divisor_BC = count_BC.clamp(min=1)
    mean_BC = (x_BTC * seen_BTC).sum(dim=1) / divisor_BC
    days = x_BTC.shape[1]
    week_T1 = (torch.arange(days, dtype=x_BTC.dtype, device=x_BTC.device)[:, None] - days) / 7
    mean_week_BC = (week_T1 * seen_BTC).sum(dim=1) / divisor_BC
    away_BTC = (week_T1 - mean_week_BC[:, None]) * seen_BTC
    slope_BC = (away_BTC * x_BTC).sum(dim=1) / ((away_BTC**2).sum(dim=1) + SLOPE_SHRINKAGE)
    return torch.cat([last_BC, last_BC - mean_BC, slope_BC, torch.log1p(count_BC)], dim=-1)
