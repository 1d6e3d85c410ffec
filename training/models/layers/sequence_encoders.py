"""Encoders of the days of one modality, for the late-fusion networks.

Each reads standardised values, 0 where not seen, with the mask of what was seen, and returns one
state. Letters: B pairs, T days, C channels of one modality, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

STEEPNESS = 0.5
"""Half-life, in days, of the weights that pick the most recent value of a channel."""

SUMMARIES = 4
"""Numbers that `summary` gives for each channel."""

SLOPE_SHRINKAGE = 0.5
"""Squared weeks added to the spread of days that a slope rests on: 8 days in a row have 0.9."""

DILATIONS = (1, 2, 4, 8)
"""Of the convolutions of 3 days: together they see 31 days back."""

SeriesCore = Callable[[int, int], nn.Module]
"""Builds an encoder of `channels` and `hidden` width that maps two (B, T, C) to (B, H)."""


def day_weights(days: int) -> Tensor:
    """Return weights (T,) so steep that a weighted mean is the last observed value."""
    return torch.exp2(-torch.arange(days - 1, -1, -1, dtype=torch.float32) / STEEPNESS)


def latest(x_BTC: Tensor, seen_BTC: Tensor, weight_T: Tensor) -> Tensor:
    """Return the most recently seen value of each channel, (B, C); 0 where there is none.

    A weighted mean with very steep weights: an index that depends on the data would not export to
    ONNX.
    """
    weight_BTC = seen_BTC * weight_T[None, :, None]
    return (weight_BTC * x_BTC).sum(dim=1) / (weight_BTC.sum(dim=1) + 1e-25)


class GruDecay(nn.Module):
    """GRU-D: between observations a value decays to the mean and the state to zero.

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
            faded_BC = last_BC * torch.exp(-nn.functional.relu(self.value_decay_C) * gap_BC)
            input_BC = seen_BC * x_BC + (1 - seen_BC) * faded_BC
            state_BH = state_BH * torch.exp(-nn.functional.relu(self.state_decay(gap_BC)))
            state_BH = self.cell(torch.cat([input_BC, seen_BC], dim=-1), state_BH)
            last_BC = seen_BC * x_BC + (1 - seen_BC) * last_BC
            gap_BC = gap_BC * (1 - seen_BC)
        return state_BH


class CausalConvolutions(nn.Module):
    """A temporal convolutional network over values and mask, read at the last day.

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
        """Return the features of the last day and the mean over days, (B, H)."""
        h_BHT: Tensor = self.enter(torch.cat([x_BTC, seen_BTC], dim=-1).transpose(1, 2))
        for dilation, layer in zip(DILATIONS, self.layers, strict=True):
            padded_BHT = nn.functional.pad(h_BHT, (2 * dilation, 0))
            h_BHT = h_BHT + nn.functional.silu(layer(padded_BHT))
        return h_BHT[..., -1] + h_BHT.mean(dim=-1)


class SeriesEncoder(nn.Module):
    """Joins a core's state with what a small cohort can't teach it.

    That is: the latest value of each channel, its change against the past's mean, and on how many
    days it was seen.
    """

    weight_T: Tensor

    def __init__(
        self, core: SeriesCore, channels: int, days: int, hidden: int, embedding: int
    ) -> None:
        super().__init__()
        self.core = core(channels, hidden)
        self.join = nn.Linear(hidden + SUMMARIES * channels, embedding)
        self.register_buffer("weight_T", day_weights(days))

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor) -> Tensor:
        """Return embeddings (B, D)."""
        state_BH = self.core(x_BTC, seen_BTC)
        return torch.tanh(
            self.join(torch.cat([state_BH, summary(x_BTC, seen_BTC, self.weight_T)], dim=-1))
        )


def summary(x_BTC: Tensor, seen_BTC: Tensor, weight_T: Tensor) -> Tensor:
    """Return what is worth knowing of each channel without learning to look for it, (B, 4 C).

    Its latest value, that value's change against the mean, its slope per week (shrunk toward 0,
    the more the fewer and closer the days are), and the log of the number of days seen.
    """
    latest_BC = latest(x_BTC, seen_BTC, weight_T)
    count_BC = seen_BTC.sum(dim=1)
    shown_BC = count_BC.clamp(min=1)
    mean_BC = (x_BTC * seen_BTC).sum(dim=1) / shown_BC
    days = x_BTC.shape[1]
    week_T1 = (torch.arange(days, dtype=x_BTC.dtype, device=x_BTC.device)[:, None] - days) / 7
    mean_week_BC = (week_T1 * seen_BTC).sum(dim=1) / shown_BC
    away_BTC = (week_T1 - mean_week_BC[:, None]) * seen_BTC
    slope_BC = (away_BTC * x_BTC).sum(dim=1) / ((away_BTC**2).sum(dim=1) + SLOPE_SHRINKAGE)
    return torch.cat([latest_BC, latest_BC - mean_BC, slope_BC, torch.log1p(count_BC)], dim=-1)
