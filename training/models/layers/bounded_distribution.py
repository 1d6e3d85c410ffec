"""A distribution on a bounded scale as its distribution function on a grid, and its quantiles.

Letters: B pairs, H horizons, S normal components, K + 1 grid points, Q quantile levels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from contracts.task import Target
from training.models.layers.recovery_curves import normal_cdf

STEPS_PER_CELL = 2
FEWEST_CELLS, MOST_CELLS = 33, 132
"""Of a grid: 33 are two points each on the Fugl-Meyer scale, half its measurement noise. Metres a
second have 300 steps, of which patients use the lowest third: 33 cells would be coarser than one
measurement. Beyond 132 a grid only takes longer."""


def cells_of(target: Target) -> int:
    """Return into how many cells a scale is divided: as fine as its steps, within bounds."""
    if target.step == 0:
        return MOST_CELLS
    cells = round((target.high - target.low) / (STEPS_PER_CELL * target.step))
    return min(max(cells, FEWEST_CELLS), MOST_CELLS)


def mixture_cdf(weight_BHS: Tensor, mean_BHS: Tensor, spread_BHS: Tensor, cells: int) -> Tensor:
    """Return the distribution function of a normal mixture on the grid over [0, 1], (B, H, K + 1).

    Probability mass beyond an end of the scale counts as at that end: the scale censors.

    Parameters
    ----------
    cells
        Of the grid, K (`cells_of`).
    """
    grid_K = torch.linspace(0, 1, cells + 1, device=mean_BHS.device)
    z_BHSK = (grid_K - mean_BHS[..., None]) * (1 / spread_BHS)[..., None]
    return (weight_BHS[..., None, :] @ normal_cdf(z_BHSK)).squeeze(-2)


def quantiles(cdf_BHK: Tensor, level_Q: Tensor) -> Tensor:
    """Invert the distribution function, linear within a cell, (B, H, Q) on [0, 1].

    A quantile is the length of the scale that lies below it, summed cell by cell, so quantiles
    rise with the level and stay on the scale by construction.
    """
    low_BHK1, high_BHK1 = cdf_BHK[..., :-1, None], cdf_BHK[..., 1:, None]
    below_BHKQ = (level_Q - low_BHK1) / (high_BHK1 - low_BHK1).clamp(min=1e-6)
    return below_BHKQ.clamp(0, 1).mean(dim=2)


def to_score_points(share_BHQ: Tensor, worst: float, best: float) -> Tensor:
    """Convert quantiles of the scale's share, 0 worst to 1 best, to score points, rising along Q.

    Where lower scores are better, the 90 % quantile of the share is the 10 % quantile of the score:
    the levels are symmetric.
    """
    score_BHQ = worst + (best - worst) * share_BHQ
    return score_BHQ if best > worst else score_BHQ.flip(-1)


def median(weight_BHS: Tensor, mean_BHS: Tensor, spread_BHS: Tensor, cells: int) -> Tensor:
    """Return the median of a normal mixture, (B, H), as `quantiles` of its grid would, but faster.

    A binary search finds the cell, so the distribution function is evaluated at 8 points of a
    grid of 34, and at 10 of one of 133.
    """
    # Components first: summing over the last, short axis would cost several times as much.
    weight_SBH, mean_SBH, precision_SBH = (
        x_BHS.permute(2, 0, 1).contiguous()
        for x_BHS in (weight_BHS, mean_BHS, 0.5**0.5 / spread_BHS)
    )

    def centred_cdf(index_BH: Tensor) -> Tensor:
        """Return 2 F - 1 at points of the grid."""
        z_SBH = (index_BH / cells - mean_SBH) * precision_SBH
        return (weight_SBH * torch.erf(z_SBH)).sum(dim=0)

    below_BH = torch.zeros_like(mean_SBH[0])
    # The number of grid points below the median is one of 0 to cells + 1.
    for power in reversed(range((cells + 1).bit_length())):
        step = 2**power
        candidate_BH = below_BH + step
        on_grid_BH = candidate_BH <= cells + 1
        below_BH = below_BH + step * (on_grid_BH & (centred_cdf(candidate_BH - 1) < 0)).to(below_BH)
    low_BH, high_BH = (
        centred_cdf((below_BH - 1).clamp(min=0)),
        centred_cdf(below_BH.clamp(max=cells)),
    )
    inside_BH = (-low_BH / (high_BH - low_BH).clamp(min=2e-6)).clamp(0, 1)
    return ((below_BH - 1 + inside_BH) / cells).clamp(0, 1)


def crps(cdf_BHK: Tensor, share_BH: Tensor) -> Tensor:
    """Return the continuous ranked probability score of each outcome, (B, H), on [0, 1].

    The integral over the scale of (F(x) - 1{y <= x})^2, with F constant within a cell (Matheson and
    Winkler 1976). Where the truth is at an end of the scale, probability mass beyond it costs
    nothing: the score is that of the censored distribution.
    """
    inside_BHC = (cdf_BHK[..., :-1] + cdf_BHK[..., 1:]) / 2
    cells = inside_BHC.shape[-1]
    upper_C = torch.arange(1, cells + 1, device=cdf_BHK.device)
    above_BHC = (upper_C - cells * share_BH[..., None]).clamp(0, 1)
    return (above_BHC * (1 - inside_BHC) ** 2 + (1 - above_BHC) * inside_BHC**2).mean(dim=-1)
