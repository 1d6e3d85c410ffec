"""Normalisation as part of a network, so that a bundle always contains it.

Letters: B pairs, T days, C channels, S person covariates.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import skew
from torch import Tensor, nn

from contracts.sequences import SequenceBatch

SMALLEST_SPREAD = 1e-3

SKEWED = 0.5
"""Skewness above which the logarithm of a positive channel is used: moderate (Bulmer 1979)."""

SMALLEST_SHARE = 0.01
"""Share of a channel's values that may be 0 or less while it still counts as positive."""


class Normalisation(nn.Module):
    """Mean and spread of each channel and person covariate, from observed values only.

    A channel that is positive and skewed to the right, such as steps, enters as its logarithm,
    because it varies by factors between people and days. Values below its 1 % quantile are raised
    to it.
    """

    log_C: Tensor
    least_C: Tensor
    mean_C: Tensor
    spread_C: Tensor
    mean_S: Tensor
    spread_S: Tensor

    def __init__(self, channels: int, person: int) -> None:
        super().__init__()
        self.register_buffer("log_C", torch.zeros(channels))
        self.register_buffer("least_C", torch.ones(channels))
        self.register_buffer("mean_C", torch.zeros(channels))
        self.register_buffer("spread_C", torch.ones(channels))
        self.register_buffer("mean_S", torch.zeros(person))
        self.register_buffer("spread_S", torch.ones(person))

    def learn(self, train: SequenceBatch) -> None:
        """Set mean and spread from the training pairs; a column never observed keeps its own."""
        values_BTC = np.where(train.observed_BTC, train.values_BTC, np.nan).astype(np.float64)
        person_BS = np.where(train.person_known_BS, train.person_BS, np.nan).astype(np.float64)
        self._choose_logarithms(values_BTC)
        with torch.no_grad():
            values_BTC = self._with_logarithms(torch.from_numpy(values_BTC)).numpy()
        for x, mean, spread in (
            (values_BTC.reshape(-1, values_BTC.shape[-1]), self.mean_C, self.spread_C),
            (person_BS, self.mean_S, self.spread_S),
        ):
            for column in range(x.shape[1]):
                known = x[~np.isnan(x[:, column]), column]
                if len(known):
                    mean[column] = float(known.mean())
                    spread[column] = max(float(known.std()), SMALLEST_SPREAD)

    def series(self, values_BTC: Tensor, observed_BTC: Tensor) -> Tensor:
        """Return standardised values, 0 where not observed."""
        return (self._with_logarithms(values_BTC) - self.mean_C) / self.spread_C * observed_BTC

    def person(self, person_BS: Tensor, known_BS: Tensor) -> Tensor:
        """Return standardised covariates, 0 where unknown, and their mask, (B, 2 S)."""
        standardised_BS = (person_BS - self.mean_S) / self.spread_S * known_BS
        return torch.cat([standardised_BS, known_BS], dim=-1)

    def _choose_logarithms(self, values_BTC: NDArray[np.float64]) -> None:
        for c in range(values_BTC.shape[2]):
            known = values_BTC[:, :, c][~np.isnan(values_BTC[:, :, c])]
            if len(known) and (least := float(np.quantile(known, SMALLEST_SHARE))) > 0:
                self.log_C[c] = float(skew(known) > SKEWED)
                self.least_C[c] = least

    def _with_logarithms(self, values_BTC: Tensor) -> Tensor:
        logs_BTC = torch.log(torch.maximum(values_BTC, self.least_C))
        return self.log_C * logs_BTC + (1 - self.log_C) * values_BTC
