"""A condition's published mixture of recovery groups as a model family; nothing is fitted.

Letters: B pairs, P curves of the grid, H horizons, Q quantile levels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from contracts.errors import ContractError
from contracts.forecast import QUANTILE_LEVELS
from contracts.priors import RecoveryPrior
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Predict
from training.models.layers.bounded_distribution import (
    cells_of,
    mixture_cdf,
    quantiles,
    to_score_points,
)
from training.models.layers.recovery_curves import level, score_log_likelihood

STARTS_PER_GROUP = 101
PAIRS_AT_ONCE = 64


def recovery_groups(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Forecast with the mixture of the task's prior as published, whatever the cohort.

    The posterior over group and start, given the past scores, is exact on a grid of starts of
    equal prior probability. On another scale than that of the prior it is applied to the share of
    the scale.

    Raises
    ------
    ContractError
        The task names no prior.
    """
    if (prior := task.prior) is None:
        raise ContractError(
            f"the task {task.name} names no prior, so there are no published groups of recovery",
            "name one in the task file, or leave this family out",
        )
    target = train.layout.channels_C.index(task.target.code)
    horizon_H = torch.tensor(train.layout.horizon_days_H, dtype=torch.float32)
    latent_P3, log_weight_P = _grid(prior)

    def predict(batch: SequenceBatch) -> NDArray[np.float64]:
        parts = [
            _forecast(
                batch.take(rows),
                task,
                target,
                horizon_H,
                latent_P3,
                log_weight_P,
                prior.noise_share,
            )
            for rows in np.array_split(np.arange(len(batch)), len(batch) // PAIRS_AT_ONCE + 1)
        ]
        return np.concatenate(parts)

    return predict


def _grid(prior: RecoveryPrior) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the curves' latents (P, 3) and the log of their shares (P,)."""
    normal = norm.ppf((np.arange(STARTS_PER_GROUP) + 0.5) / STARTS_PER_GROUP)
    rows = [
        [
            group.start_mean + group.start_spread * z,
            np.log(group.rate / (1 - group.rate)),
            np.log(days),
        ]
        for group, days in zip(prior.groups, prior.times_days, strict=True)
        for z in normal
    ]
    share_P = np.repeat(
        np.array([group.share for group in prior.groups]) / STARTS_PER_GROUP, STARTS_PER_GROUP
    )
    return torch.tensor(rows, dtype=torch.float32), torch.from_numpy(np.log(share_P)).float()


def _forecast(
    batch: SequenceBatch,
    task: Task,
    target: int,
    horizon_H: torch.Tensor,
    latent_P3: torch.Tensor,
    log_weight_P: torch.Tensor,
    noise_share: float,
) -> NDArray[np.float64]:
    worst, best = task.target.worst, task.target.best
    share_BT = torch.from_numpy((batch.values_BTC[:, :, target] - worst) / (best - worst))
    seen_BT = torch.from_numpy(batch.observed_BTC[:, :, target]).float()
    days_BT = torch.from_numpy(batch.days_since_onset_BT).float().clamp(min=0)
    log_noise = torch.tensor(noise_share).log()
    likelihood_BP = score_log_likelihood(
        level(latent_P3, days_BT[..., None]), share_BT * seen_BT, seen_BT, log_noise
    )
    weight_BP = torch.softmax(likelihood_BP + log_weight_P, dim=-1)
    ahead_BH = horizon_H - torch.from_numpy(batch.origin_day_B).float()[:, None]
    level_BHP = level(latent_P3, (days_BT[:, -1:] + ahead_BH)[..., None])
    cdf_BHK = mixture_cdf(
        weight_BP[:, None].expand_as(level_BHP),
        level_BHP,
        torch.full_like(level_BHP, noise_share),
        cells_of(task.target),
    )
    quantiles_BHQ = quantiles(cdf_BHK, torch.tensor(QUANTILE_LEVELS))
    return to_score_points(quantiles_BHQ.double(), worst, best).numpy()
