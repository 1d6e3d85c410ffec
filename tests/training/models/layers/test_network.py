from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from training.fitting.config import TrainingConfig
from training.fitting.network_fit import forward
from training.fitting.pairs import tensors
from training.models.architectures import Architecture, new_network
from training.models.layers.input_columns import modalities_of
from training.models.layers.network import Network
from training.models.losses import mean_of_pairs, pinball

QUICK = TrainingConfig(max_epochs=4, patience=4, hidden=4)

ARCHITECTURES = get_args(Architecture)


def untrained(batch: SequenceBatch, task: Task, architecture: Architecture) -> Network:
    torch.manual_seed(0)
    return new_network(batch.layout, task, architecture, hidden=8).eval()


def disturbed_weights(network: Network) -> Network:
    """Change every weight, so that those that start at zero have an effect."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("architecture", ["GRU-D", "temporal convolution"])
def test_an_untrained_late_fusion_network_forecasts_no_change(
    batch: SequenceBatch, task: Task, architecture: Architecture
) -> None:
    median_BH = forward(untrained(batch, task, architecture), batch)[..., 9]
    off = median_BH - batch.last_score_B[:, None]
    assert np.abs(off).mean() < 5
    assert np.corrcoef(median_BH[:, 0], batch.last_score_B)[0, 1] > 0.95


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_quantiles_rise_and_stay_on_the_scale_for_any_weights(
    batch: SequenceBatch, task: Task, architecture: Architecture
) -> None:
    network = untrained(batch, task, architecture)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(3 * torch.randn_like(parameter))
    quantiles_BHQ = forward(network, batch)
    assert (np.diff(quantiles_BHQ, axis=-1) >= -1e-4).all()
    assert quantiles_BHQ.min() >= 0
    assert quantiles_BHQ.max() <= 66


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_not_observed_can_not_change_a_forecast(
    batch: SequenceBatch, task: Task, architecture: Architecture
) -> None:
    network = disturbed_weights(untrained(batch, task, architecture))
    noise = np.random.default_rng(0).normal(size=batch.values_BTC.shape).astype(np.float32)
    disturbed = replace(
        batch, values_BTC=np.where(batch.observed_BTC, batch.values_BTC, 1e3 * noise)
    )
    np.testing.assert_allclose(forward(network, batch), forward(network, disturbed), atol=1e-3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_hidden_modality_can_not_change_a_forecast(
    batch: SequenceBatch, task: Task, architecture: Architecture
) -> None:
    network = disturbed_weights(untrained(batch, task, architecture))
    hidden = modalities_of(batch.layout).index("gait")
    *past, present_BM, _ = tensors(batch)
    present_BM[:, hidden] = 0
    steps = batch.layout.channels_C.index("LOINC//41950-7")
    disturbed = [x.clone() for x in past]
    disturbed[0][:, :, steps] += 5_000
    with torch.inference_mode():
        first, second = (
            network.head(network.encoder(*side), present_BM).numpy() for side in (past, disturbed)
        )
    np.testing.assert_array_equal(first, second)


def test_missing_outcomes_have_no_loss_and_no_gradient() -> None:
    quantiles = torch.zeros(2, 2, 1, requires_grad=True)
    truth = torch.tensor([[2.0, float("nan")], [float("nan"), float("nan")]])
    loss_BH = pinball(truth, quantiles, torch.tensor([0.5]))
    loss_B, seen_B = mean_of_pairs(loss_BH, truth)
    loss_B.sum().backward()
    assert loss_B.tolist() == [1.0, 0.0]
    assert seen_B.tolist() == [1.0, 0.0]
    assert quantiles.grad is not None
    assert quantiles.grad[..., 0].tolist() == [[-0.5, 0.0], [0.0, 0.0]]


def test_only_channels_that_the_cohort_has_enter_the_network(events, task: Task) -> None:
    without = events[~events["code"].isin(["LOINC//41950-7", "REHABCAST//WEAR_TIME"])]
    layout = training_sequences(without, task).layout
    assert layout.channels_C == ("REHABCAST//FUGL_MEYER_UE",)
    assert modalities_of(layout) == ("time since onset", "person", "assessments")
