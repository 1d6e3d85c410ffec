"""What cross-fitted networks are together: one with mean weights, or a mean of forecasts.

Networks that start from the same weights and learn from most of the same people end in the same
basin of the loss, where the mean of their weights forecasts as the mean of their forecasts does
(Izmailov 2018; Wortsman 2022), at the cost of one. Whether they did is measured, out of fold.

Letters: B pairs of subject and origin, H horizons, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray

from contracts.bundle import FORECASTS, WEIGHTS, Joined
from contracts.forecast import MEDIAN, QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.readings import covering_both
from training.fitting.network_fit import forward
from training.models.layers.network import Network
from training.scores import mean_crps

ACCEPTED_LOSS = 0.01
"""Share by which the CRPS of one network may be above that of the mean of forecasts: two trainings
with other seeds differ by as much on 165 people."""


def join(members: Sequence[Network], joined: Joined) -> tuple[Network, ...]:
    """Return the networks whose mean forecast is that of the joined members."""
    return (averaged(members),) if joined == WEIGHTS else tuple(members)


def averaged(members: Sequence[Network]) -> Network:
    """Return a network whose weights, and whose normalisation, are the mean of the members'."""
    states = [member.state_dict() for member in members]
    mean = {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(first.dtype)
        if first.is_floating_point()
        else first
        for name, first in states[0].items()
    }
    network = deepcopy(members[0])
    network.load_state_dict(mean)
    return network.eval()


def raw_quantiles(
    networks: Sequence[Network], batch: SequenceBatch, task: Task
) -> NDArray[np.float64]:
    """Return the mean forecast of some networks before calibration, (B, H, Q)."""

    def mean(pairs: SequenceBatch) -> NDArray[np.float64]:
        forecasts = [forward(network, pairs) for network in networks]
        return np.asarray(np.mean(forecasts, axis=0))

    return covering_both(mean(batch), batch, task, mean)


def best_joined(
    unseen: Mapping[int, Sequence[Network]],
    fold_B: NDArray[np.int_],
    batch: SequenceBatch,
    task: Task,
) -> tuple[Joined, NDArray[np.float64]]:
    """Choose how members are joined by the forecasts of people they never saw; return both.

    Parameters
    ----------
    unseen
        The members that were trained without each fold.
    """
    raw = {}
    for joined in (WEIGHTS, FORECASTS):
        raw_BHQ = np.empty((*batch.truth_BH.shape, len(QUANTILE_LEVELS)))
        for fold, members in unseen.items():
            own_B = fold_B == fold
            raw_BHQ[own_B] = raw_quantiles(join(members, joined), batch.take(own_B), task)
        raw[joined] = raw_BHQ
    one, mean = (mean_crps(batch.truth_BH, raw[joined]) for joined in (WEIGHTS, FORECASTS))
    chosen: Joined = WEIGHTS if one <= (1 + ACCEPTED_LOSS) * mean else FORECASTS
    return chosen, raw[chosen]


def variance_by_people(
    unseen: Mapping[int, Sequence[Network]], fold_B: NDArray[np.int_], batch: SequenceBatch
) -> NDArray[np.float64]:
    """Return how far each median would vary if other people had been learned from, (B, H).

    Score points squared. The members that never saw a fold lack one further fold each, so their
    forecasts of it are a jackknife.

    Parameters
    ----------
    unseen
        The members that were trained without each fold.
    """
    variance_BH = np.empty(batch.truth_BH.shape)
    for fold, members in unseen.items():
        own_B = fold_B == fold
        own = batch.take(own_B)
        variance_BH[own_B] = jackknife_variance(
            np.stack([forward(member, own)[..., MEDIAN] for member in members])
        )
    return variance_BH


def jackknife_variance(estimate_GN: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of estimates that are learned from G + 1 groups of people, (N,).

    Each of the G estimates is learned from all but two groups: one is left out by all of them, the
    other by this one alone. The delete-a-group jackknife (Tukey 1958; Kott 2001) gives the variance
    of what is learned from G groups; that from G + 1 is smaller by G / (G + 1), as variances fall
    with the number of people.
    """
    groups = len(estimate_GN)
    return np.asarray((groups - 1) * groups / (groups + 1) * estimate_GN.var(axis=0))
