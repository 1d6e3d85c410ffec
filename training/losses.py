"""Losses in score points. Letters: B pairs, H horizons, Q quantile levels."""

from __future__ import annotations

import torch
from torch import Tensor


def pinball(truth_BH: Tensor, quantiles_BHQ: Tensor, level_Q: Tensor) -> Tensor:
    """Mean pinball loss over observed outcomes and levels; twice it approximates the CRPS.

    Parameters
    ----------
    truth_BH
        Scores, NaN where no outcome was observed: those places have no loss and no gradient.
    quantiles_BHQ
        Forecast quantiles at `level_Q`.

    Returns
    -------
    A scalar in score points; 0 where nothing was observed.

    Source: Koenker and Bassett 1978; Laio and Tamea 2007 for its relation to the CRPS.
    """
    observed_BH = ~torch.isnan(truth_BH)
    miss_BHQ = torch.nan_to_num(truth_BH)[..., None] - quantiles_BHQ
    loss_BH = torch.maximum(level_Q * miss_BHQ, (level_Q - 1) * miss_BHQ).mean(dim=-1)
    return (loss_BH * observed_BH).sum() / observed_BH.sum().clamp(min=1)
