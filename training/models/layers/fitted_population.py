"""A population of recovery curves that nobody published, fitted to the people trained on.

Empirical Bayes (Robbins 1956): the population under which their scores, past ones and outcomes, are
most likely together, starting from one in which every course is as likely as any other. Without
it a network would have to unlearn, by some tens of small batches, that people regain half of what
they miss.

Letters: B pairs, W windows of past days and horizons, H horizons, P curves.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from contracts.sequences import SequenceBatch
from training.models.layers.recovery_curves import RecoveryCurves, score_log_likelihood

STEPS = 150
PACE = 0.05
"""Of Adam: by so much a logit or a logarithm may change in a step."""

PULL = 0.5
"""Weight of staying where it starts, as if each parameter had been seen once with an SD of 1: what
few people say nothing about stays as it was."""

MOST_PAIRS = 512
"""Some hundred people tell five groups; more would only take longer."""


def fit_population(
    curves: RecoveryCurves, log_noise: nn.Parameter, past: tuple[Tensor, Tensor, Tensor],
    outcomes: tuple[Tensor, Tensor, Tensor],
) -> None:  # fmt: skip
    """Set groups, shares and noise so that the scores of people are as likely as they can be.

    Parameters
    ----------
    curves, log_noise
        What is fitted, from where it stands.
    past, outcomes
        Mean score on the share of the scale, number of scores and days since onset, (B, W) and
        (B, H) each, as in `score_log_likelihood`.
    """
    chosen = torch.from_numpy(_spread_out(len(past[0])))
    share_BW, count_BW, days_BW = (
        torch.cat([a, b], dim=1)[chosen] for a, b in zip(past, outcomes, strict=True)
    )
    seen_W = count_BW.sum(dim=0) > 0
    if not seen_W.any():
        return
    fitted = [curves.mean_G3, curves.log_spread_G3, curves.share_logit_G, log_noise]
    before = [parameter.detach().clone() for parameter in fitted]
    adam = torch.optim.Adam(fitted, lr=PACE)
    with torch.enable_grad():
        for _ in range(STEPS):
            adam.zero_grad()
            evidence_BP = score_log_likelihood(
                curves.latent(), share_BW[:, seen_W], count_BW[:, seen_W], days_BW[:, seen_W],
                log_noise,
            )  # fmt: skip
            weight_P = torch.log_softmax(curves.log_weight(), dim=-1)
            pulled = sum(
                ((parameter - start) ** 2).sum()
                for parameter, start in zip(fitted, before, strict=True)
            )
            loss = PULL * pulled - torch.logsumexp(evidence_BP + weight_P, dim=-1).sum()
            (loss / len(chosen)).backward()  # type: ignore[no-untyped-call]
            adam.step()
    for parameter in fitted:
        parameter.grad = None


def outcome_scores(
    train: SequenceBatch, worst: float, best: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return share of the scale, 1 where known and days since onset of outcomes, (B, H) each."""
    truth_BH = torch.from_numpy(train.truth_BH).float()
    known_BH = (~torch.isnan(truth_BH)).float()
    share_BH = torch.nan_to_num((truth_BH - worst) / (best - worst)) * known_BH
    horizon_H = torch.tensor(train.layout.horizon_days_H, dtype=torch.float32)
    origin_B = torch.from_numpy(train.origin_day_B).float()
    onset_B = torch.from_numpy(train.days_since_onset_BT[:, -1]).float().clamp(min=0)
    ahead_BH = (horizon_H - origin_B[:, None]).clamp(min=0)
    return share_BH, known_BH, (onset_B[:, None] + ahead_BH) * known_BH


def _spread_out(pairs: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the numbers of at most `MOST_PAIRS` pairs, spread over all."""
    return np.unique(np.linspace(0, pairs - 1, min(pairs, MOST_PAIRS)).round().astype(np.int64))
