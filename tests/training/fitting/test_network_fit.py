from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.config import TrainingConfig
from training.fitting.lightning_module import NetworkModule
from training.fitting.network_fit import fit_network, forward
from training.models.architectures import new_network
from training.models.losses import pinball

QUICK = TrainingConfig(max_epochs=4, patience=4, hidden=4)


def weights(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    first, again, other = (
        weights(fit_network(batch, task, QUICK, seed=seed, folder=tmp_path / str(number)))
        for number, seed in enumerate((7, 7, 8))
    )
    assert_same(first, again)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_an_interrupted_fit_resumes_to_the_same_weights(
    batch: SequenceBatch, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = fit_network(batch, task, QUICK, seed=7, folder=tmp_path / "uninterrupted")

    def stop(module: NetworkModule) -> None:
        if module.current_epoch == 2:
            raise ConnectionAbortedError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(NetworkModule, "on_train_epoch_start", stop)
        with pytest.raises(ConnectionAbortedError):
            fit_network(batch, task, QUICK, seed=7, folder=tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "best.safetensors").exists()
    resumed = fit_network(batch, task, QUICK, seed=7, folder=tmp_path / "stopped")
    assert_same(weights(uninterrupted), weights(resumed))


def test_a_finished_fit_is_read_back_and_not_trained_again(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    first = fit_network(batch, task, QUICK, seed=7, folder=tmp_path)
    (tmp_path / "last.ckpt").unlink()
    assert_same(weights(first), weights(fit_network(batch, task, QUICK, seed=7, folder=tmp_path)))


def test_training_lowers_the_loss_on_unseen_subjects(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    """From a flat start: from a published one there is little left to learn from so few."""
    unseen = batch.subject_B % 3 == 0
    task = task.model_copy(update={"prior": None})
    config = TrainingConfig()
    torch.manual_seed(0)
    untrained = new_network(batch.layout, task, config.architecture, hidden=8).eval()
    fitted = fit_network(batch.take(~unseen), task, config, seed=1, folder=tmp_path)
    level_Q = torch.tensor(np.linspace(0.05, 0.95, 19))
    truth = torch.from_numpy(batch.take(unseen).truth_BH)
    losses = []
    for network in (untrained, fitted):
        quantiles = torch.from_numpy(forward(network, batch.take(unseen)))
        loss_BH = pinball(truth, quantiles, level_Q)
        losses.append(float(loss_BH[~torch.isnan(truth)].mean()))
    assert losses[1] < 0.95 * losses[0]
