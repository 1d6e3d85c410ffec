from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.network_fit import forward
from training.fitting.pairs import tensors
from training.models.architectures import Architecture, new_network
from training.models.layers.emissions import window_sums
from training.models.layers.hybrid_head import HybridHead
from training.models.layers.input_columns import input_columns
from training.models.layers.network import Network
from training.models.recovery_groups import recovery_groups


@pytest.fixture
def network(batch: SequenceBatch, task: Task) -> Network:
    torch.manual_seed(0)
    return new_network(batch.layout, task, "hybrid", hidden=8).eval()


def test_untrained_and_without_spread_it_is_the_published_mixture(
    batch: SequenceBatch, task: Task, network: Network
) -> None:
    with torch.no_grad():
        network.head.curves.log_spread_G3[:, 1:] = -9
    published = recovery_groups(batch, task, seed=0)(batch)
    # The median differs where groups meet: 64 curves per group are a coarse grid of starts.
    gap_BH = np.abs(forward(network, batch) - published)[..., 9]
    assert np.median(gap_BH) < 0.5
    assert np.quantile(gap_BH, 0.9) < 5


def test_more_assessments_make_the_forecast_narrower(
    batch: SequenceBatch, task: Task, network: Network
) -> None:
    later = batch.take(batch.origin_day_B == 21)
    target = batch.layout.channels_C.index(task.target.code)
    several = later.take(later.observed_BTC[:, :, target].sum(axis=1) > 1)
    only_last = several.observed_BTC.copy()
    only_last[:, :-1, target] = False
    fewer = replace(several, observed_BTC=only_last)
    fewer = fewer.take(only_last[:, -1, target])
    several = several.take(only_last[:, -1, target])
    assert len(several) > 10
    width = lambda b: (forward(network, b)[..., 17] - forward(network, b)[..., 1]).mean()  # noqa: E731
    assert width(several) < width(fewer)


def test_with_nothing_known_it_forecasts_the_population_with_the_widest_intervals(
    batch: SequenceBatch, network: Network
) -> None:
    *past, present_BM, _ = tensors(batch)
    with torch.inference_mode():
        embeddings = network.encoder(*past)
        nothing = network.head(embeddings, torch.zeros_like(present_BM))
        known = network.head(embeddings, present_BM)
    first = batch.origin_day_B == 0
    np.testing.assert_allclose(nothing[first], nothing[first][:1].expand_as(nothing[first]))
    width = lambda q: float((q[..., 17] - q[..., 1]).mean())  # noqa: E731
    assert width(nothing) > 2 * width(known)


def test_more_therapy_never_forecasts_a_slower_recovery_whatever_the_weights(
    batch: SequenceBatch, network: Network
) -> None:
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    head = network.head
    assert isinstance(head, HybridHead)
    *past, present_BM, _ = tensors(batch)
    doses = (0.0, 30.0, 120.0, 600.0)
    with torch.inference_mode():
        embeddings = network.encoder(*past)
        plans = [
            head.quantiles_under_plan(
                embeddings, present_BM, torch.full((len(batch), len(head.horizon_days_H)), dose)
            )
            for dose in doses
        ]
    for less, more in pairwise(plans):
        assert (more - less).min() > -1e-3
    # The effect saturates: ten times the dose is far from ten times the effect.
    assert (plans[3] - plans[2]).mean() < (plans[2] - plans[0]).mean()


def test_windows_contain_each_day_once_and_end_with_the_last_day() -> None:
    days_BTC = torch.arange(30.0)[None, :, None]
    ones_and_days_BTC = torch.cat([torch.ones_like(days_BTC), days_BTC], dim=-1)
    sums_BWC = window_sums(ones_and_days_BTC, 7)
    np.testing.assert_array_equal(sums_BWC[0, :, 0], [2, 7, 7, 7, 7])
    assert sums_BWC[0, -1, 1] == sum(range(23, 30))


@pytest.mark.parametrize("architecture", ["hybrid", "GRU-D"])
def test_coalitions_have_the_same_medians_together_as_one_by_one(
    batch: SequenceBatch, task: Task, architecture: Architecture
) -> None:
    torch.manual_seed(2)
    network = new_network(batch.layout, task, architecture, hidden=8).eval()
    *past, _, _ = tensors(batch)
    with torch.inference_mode():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        views_VMD = network.encoder(*past)[:3]
        modalities = views_VMD.shape[1]
        view_KM = torch.randint(-1, 3, (40, modalities))
        # The time since onset and the dose have no windows; all coalitions of a call contain them.
        dose = input_columns(batch.layout, task).dose_modality
        view_KM[:, [0] if dose is None else [0, dose]] = 0
        mask_KVM = (view_KM[:, None] == torch.arange(3)[:, None]).float()
        known_KMD = views_VMD[view_KM.clamp(min=0), torch.arange(modalities)]
        alone_KHQ = network.head(known_KMD, (view_KM >= 0).float())
        for h in range(alone_KHQ.shape[1]):
            medians_K1 = network.head.medians(views_VMD, mask_KVM, torch.tensor([h]))
            np.testing.assert_allclose(medians_K1[:, 0], alone_KHQ[:, h, 9], atol=2e-3)
