"""A Gaussian process on recovery trajectories, of all instruments at once, in closed form.

Letters: R rows (subjects or pairs), W scores of one row, C instruments, K knots, H horizons,
Q quantile levels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm
from torch import Tensor
from torch.nn.functional import one_hot

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import vocabulary
from contracts.vocabulary.code import Kind
from training.models import Predict
from training.models.rivals.trajectories import (
    Scores,
    a_sample,
    padded,
    past_scores,
    whole_courses,
)

Array = NDArray[np.float64]

FEWEST_SCORES = 30
"""An instrument with fewer tells nothing of how it goes with the others."""

MOST_SUBJECTS = 1_000
"""Of whom the hyperparameters are learned: there are a few dozen."""

INSIDE = 0.01
"""Share of the scale by which an end is moved inside, where its logit is finite."""

KNOTS, STEPS, STEP_SIZE = 4, 200, 0.05

SMALLEST_NOISE = 1e-4
"""Variance added to each score's, so that scores of one day can be solved for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Hyperparameters, on the logit of the share of the scale.

    Parameters
    ----------
    knots_K, mean_KC
        Places on the axis of time, and the mean of each instrument there, linear between.
    lasting_CC, passing_CC
        Covariance of the instruments: of what lasts, and of what is forgotten with time.
    memory
        Difference in the log of days after which a 1/e of the latter is left.
    noise_C
        Variance of one score around its course.
    """

    knots_K: Tensor
    mean_KC: Tensor
    lasting_CC: Tensor
    passing_CC: Tensor
    memory: Tensor
    noise_C: Tensor


def recovery_process(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Fit a coregionalised process over the log of days since onset by marginal likelihood.

    Each instrument's logit is a mean course plus two kinds of deviation of a subject, one that
    lasts and one with an exponential kernel, both correlated between instruments (the linear model
    of coregionalisation; Rasmussen and Williams 2006, chapters 2 and 5). A subject's missing
    instruments are left out of the solution, which is exact: they cost nothing.
    """
    channels = _instruments(train, task)
    scores, first_R = whole_courses(train, task, channels)
    subject_R = train.subject_B[first_R]
    scores = scores.keep(a_sample(subject_R[scores.row_N], MOST_SUBJECTS, seed=seed))
    codes = [train.layout.channels_C[channel] for channel in channels]
    process = _fit(*_arrays(scores, len(first_R), codes, task), len(codes))

    def predict(batch: SequenceBatch) -> Array:
        past = past_scores(batch, channels)
        time_RW, channel_RW, value_RW = _arrays(past, len(batch), codes, task)
        ahead_BH = np.array(batch.layout.horizon_days_H) - batch.origin_day_B[:, None]
        today_B1 = batch.days_since_onset_BT[:, -1:].astype(np.float64)
        later_BH = torch.from_numpy(_time(today_B1 + ahead_BH))
        mean_BH, variance_BH = posterior(process, time_RW, channel_RW, value_RW, later_BH)
        spread_BH = (variance_BH + process.noise_C[0]).sqrt()
        logit_BHQ = mean_BH[..., None] + spread_BH[..., None] * torch.from_numpy(
            norm.ppf(QUANTILE_LEVELS)
        )
        share_BHQ = (expit(logit_BHQ.numpy()) - INSIDE) / (1 - 2 * INSIDE)
        target = task.target
        points = target.low + (target.high - target.low) * share_BHQ
        return np.asarray(np.clip(points, target.low, target.high))

    return predict


def posterior(
    process: Process, time_RW: Tensor, channel_RW: Tensor, value_RW: Tensor, later_RH: Tensor
) -> tuple[Tensor, Tensor]:
    """Return mean and variance of the first instrument's course at later times, (R, H).

    Parameters
    ----------
    time_RW, channel_RW, value_RW
        Log of days since onset, instrument and logit of each score; a NaN value is none.
    """
    seen_RW = ~value_RW.isnan()
    factor_RWW = torch.linalg.cholesky(_covariance(process, time_RW, channel_RW, seen_RW))
    off_RW = (value_RW - _mean(process, time_RW, channel_RW)).nan_to_num() * seen_RW
    first_RH = torch.zeros_like(later_RH, dtype=torch.int64)
    cross_RHW = _kernel(process, later_RH, first_RH, time_RW, channel_RW) * seen_RW[:, None]
    solved_RW1 = torch.cholesky_solve(off_RW[..., None], factor_RWW)
    half_RWH = torch.linalg.solve_triangular(factor_RWW, cross_RHW.mT, upper=False)
    mean_RH = _mean(process, later_RH, first_RH) + (cross_RHW @ solved_RW1).squeeze(-1)
    alone = process.lasting_CC[0, 0] + process.passing_CC[0, 0]
    return mean_RH, (alone - (half_RWH**2).sum(dim=1)).clamp(min=0)


def _instruments(train: SequenceBatch, task: Task) -> list[int]:
    """Return the channels of the instruments with enough scores and two ends, the target first."""
    target = train.layout.channels_C.index(task.target.code)
    known = vocabulary()
    others = [
        channel
        for channel, code in enumerate(train.layout.channels_C)
        if channel != target
        and known[code].kind is Kind.ASSESSMENT
        and known[code].low is not None
        and known[code].high is not None
        and train.observed_BTC[:, :, channel].any(axis=1).sum() >= FEWEST_SCORES
    ]
    return [target, *others]


def _time(days: Array) -> Array:
    return np.asarray(np.log1p(np.maximum(days, 0)))


def _arrays(
    scores: Scores, rows: int, codes: list[str], task: Task
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log time, instrument, and logit of each row's scores, (R, W) each."""
    known = vocabulary()
    ends = [(task.target.low, task.target.high)]
    ends += [(float(known[code].low or 0), float(known[code].high or 0)) for code in codes[1:]]
    low_N, high_N = np.array(ends)[scores.channel_N].T
    share_N = np.clip((scores.value_N - low_N) / (high_N - low_N), 0, 1)
    logit_N = logit(INSIDE + (1 - 2 * INSIDE) * share_N)
    time_RW, channel_RW, value_RW = (
        torch.from_numpy(padded(x_N, scores.row_N, rows))
        for x_N in (_time(scores.since_onset_N), scores.channel_N.astype(np.float64), logit_N)
    )
    return time_RW.nan_to_num(), channel_RW.nan_to_num().long(), value_RW


def _mean(process: Process, time_RW: Tensor, channel_RW: Tensor) -> Tensor:
    """Return the mean course, linear between the knots and constant beyond them, (R, W)."""
    knots_K = process.knots_K
    inside_RW = time_RW.clamp(knots_K[0], knots_K[-1]).contiguous()
    right_RW = torch.searchsorted(knots_K, inside_RW).clamp(1, len(knots_K) - 1)
    left, right = knots_K[right_RW - 1], knots_K[right_RW]
    share_RW1 = ((inside_RW - left) / (right - left))[..., None]
    after_RWK = share_RW1 * one_hot(right_RW, KNOTS).double()
    before_RWK = (1 - share_RW1) * one_hot(right_RW - 1, KNOTS).double()
    of_all_RWC = (before_RWK + after_RWK) @ process.mean_KC
    return of_all_RWC.gather(-1, channel_RW[..., None]).squeeze(-1)


def _kernel(
    process: Process, time_RH: Tensor, at_RH: Tensor, time_RW: Tensor, of_RW: Tensor
) -> Tensor:
    """Return the covariance of two sets of courses, (R, H, W)."""
    apart_RHW = (time_RH[:, :, None] - time_RW[:, None, :]).abs()
    # Products with indicators: their gradients cost a tenth of those of indexing.
    instruments = len(process.noise_C)
    at_RHC = one_hot(at_RH, instruments).double()
    of_RCW = one_hot(of_RW, instruments).double().mT
    passing_RHW = at_RHC @ process.passing_CC @ of_RCW * torch.exp(-apart_RHW / process.memory)
    return at_RHC @ process.lasting_CC @ of_RCW + passing_RHW


def _covariance(process: Process, time_RW: Tensor, of_RW: Tensor, seen_RW: Tensor) -> Tensor:
    """Return the covariance of each row's scores; a place without one is 1 by itself, (R, W, W)."""
    both_RWW = seen_RW[:, :, None] & seen_RW[:, None, :]
    kernel_RWW = _kernel(process, time_RW, of_RW, time_RW, of_RW) * both_RWW
    noise_RW = one_hot(of_RW, len(process.noise_C)).double() @ process.noise_C
    own_RW = torch.where(seen_RW, noise_RW, 1.0)
    return kernel_RWW + torch.diag_embed(own_RW)


def _fit(time_RW: Tensor, channel_RW: Tensor, value_RW: Tensor, instruments: int) -> Process:
    """Maximise the marginal likelihood of the courses; rows without a score add nothing."""
    seen_RW = ~value_RW.isnan()
    at = torch.linspace(0, 1, KNOTS, dtype=torch.float64)
    knots_K = torch.quantile(time_RW[seen_RW], at)
    knots_K = knots_K + 1e-6 * torch.arange(KNOTS)
    centre_C = torch.stack(
        [value_RW[seen_RW & (channel_RW == each)].mean() for each in range(instruments)]
    ).nan_to_num()
    start = {
        "mean": centre_C.repeat(KNOTS, 1),
        "lasting": torch.eye(instruments, dtype=torch.float64),
        "passing": torch.eye(instruments, dtype=torch.float64),
        "memory": torch.zeros((), dtype=torch.float64),
        "noise": torch.full((instruments,), -2.0, dtype=torch.float64),
    }
    free = {name: value.clone().requires_grad_() for name, value in start.items()}

    def process() -> Process:
        lasting, passing = free["lasting"].tril(), free["passing"].tril()
        return Process(
            knots_K=knots_K,
            mean_KC=free["mean"],
            lasting_CC=lasting @ lasting.mT,
            passing_CC=passing @ passing.mT,
            memory=free["memory"].exp(),
            noise_C=free["noise"].exp() + SMALLEST_NOISE,
        )

    optimiser = torch.optim.Adam(list(free.values()), lr=STEP_SIZE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = -log_marginal(process(), time_RW, channel_RW, value_RW) / seen_RW.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        found = process()
    return replace(found, mean_KC=found.mean_KC.detach())


def log_marginal(process: Process, time_RW: Tensor, channel_RW: Tensor, value_RW: Tensor) -> Tensor:
    """Return the log density of all scores, up to a constant."""
    seen_RW = ~value_RW.isnan()
    factor_RWW = torch.linalg.cholesky(_covariance(process, time_RW, channel_RW, seen_RW))
    mean_RW = _mean(process, time_RW, channel_RW)
    off_RW = torch.where(seen_RW, value_RW.nan_to_num() - mean_RW, 0.0)
    half_RW1 = torch.linalg.solve_triangular(factor_RWW, off_RW[..., None], upper=False)
    log_root: Tensor = factor_RWW.diagonal(dim1=1, dim2=2).log().sum()
    squares: Tensor = (half_RW1**2).sum()
    return -0.5 * squares - log_root
