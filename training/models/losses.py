"""Losses in score points. Letters: B pairs, H horizons, Q quantile levels."""

from __future__ import annotations

import torch
from torch import Tensor


def pinball(truth_BH: Tensor, quantiles_BHQ: Tensor, level_Q: Tensor) -> Tensor:
    """Return the mean pinball loss of each outcome over the levels, (B, H): about half its CRPS.

    Parameters
    ----------
    truth_BH
        Scores; NaN counts as 0, and the caller must leave it out.
    quantiles_BHQ
        Forecast quantiles at `level_Q`.

    Source: Koenker and Bassett 1978; Laio and Tamea 2007 for its relation to the CRPS.
    """
    miss_BHQ = torch.nan_to_num(truth_BH)[..., None] - quantiles_BHQ
    return torch.maximum(level_Q * miss_BHQ, (level_Q - 1) * miss_BHQ).mean(dim=-1)


def mean_of_pairs(loss_BH: Tensor, truth_BH: Tensor) -> tuple[Tensor, Tensor]:
    """Return each pair's mean loss over its observed outcomes, and their number, (B,) each.

    A pair without an observed outcome has no loss and no gradient.
    """
    observed_BH = ~torch.isnan(truth_BH)
    seen_B = observed_BH.sum(dim=1).to(loss_BH)
    return (loss_BH * observed_BH).sum(dim=1) / seen_B.clamp(min=1), seen_B
