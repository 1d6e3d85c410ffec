from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from training.fitting.config import TrainingConfig
from training.fitting.lightning_module import NetworkModule
from training.fitting.network_fit import fit_network, forward, tensors
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
    """Move every weight, so that what starts at zero takes part."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


def weights(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    first, again, other = (
        weights(fit_network(batch, task, QUICK, seed=seed, folder=tmp_path / str(place)))
        for place, seed in enumerate((7, 7, 8))
    )
    assert_same(first, again)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_an_interrupted_fit_resumes_to_the_same_weights(
    batch: SequenceBatch, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit_network(batch, task, QUICK, seed=7, folder=tmp_path / "whole")

    def stop(learner: NetworkModule) -> None:
        if learner.current_epoch == 2:
            raise ConnectionAbortedError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(NetworkModule, "on_train_epoch_start", stop)
        with pytest.raises(ConnectionAbortedError):
            fit_network(batch, task, QUICK, seed=7, folder=tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "best.safetensors").exists()
    resumed = fit_network(batch, task, QUICK, seed=7, folder=tmp_path / "stopped")
    assert_same(weights(whole), weights(resumed))


def test_a_finished_fit_is_read_back_and_not_trained_again(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    first = fit_network(batch, task, QUICK, seed=7, folder=tmp_path)
    (tmp_path / "last.ckpt").unlink()
    assert_same(weights(first), weights(fit_network(batch, task, QUICK, seed=7, folder=tmp_path)))


def test_training_lowers_the_loss_on_people_it_never_saw(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    unseen = batch.subject_B % 3 == 0
    config = TrainingConfig(max_epochs=40)
    fitted = fit_network(batch.take(~unseen), task, config, seed=1, folder=tmp_path)
    level_Q = torch.tensor(np.linspace(0.05, 0.95, 19))
    truth = torch.from_numpy(batch.take(unseen).truth_BH)
    losses = []
    for network in (untrained(batch, task, config.architecture), fitted):
        quantiles = torch.from_numpy(forward(network, batch.take(unseen)))
        loss_BH = pinball(truth, quantiles, level_Q)
        losses.append(float(loss_BH[~torch.isnan(truth)].mean()))
    assert losses[1] < 0.8 * losses[0]


@pytest.mark.parametrize("architecture", ["GRU-D", "temporal convolution"])
def test_an_untrained_late_fusion_network_says_that_nothing_changes(
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
