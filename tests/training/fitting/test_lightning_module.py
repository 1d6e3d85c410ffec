from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.config import Robustness, TrainingConfig
from training.fitting.lightning_module import VALIDATION_LOSS, NetworkModule, reweighing_weights
from training.fitting.network_fit import fit_network
from training.fitting.pairs import memberships, tensors
from training.models.architectures import new_network

QUICK = TrainingConfig(max_epochs=2, patience=2, hidden=4)


def test_reweighing_gives_every_group_the_same_total_weight() -> None:
    member_BG = torch.tensor([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 2)
    weight_B = reweighing_weights(member_BG)
    assert float(weight_B.mean()) == pytest.approx(1)
    assert float(weight_B[:8].sum()) == pytest.approx(float(weight_B[8:].sum()))


def test_a_robust_fit_differs_from_a_plain_one_and_repeats(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    asked: list[Robustness] = ["none", "group DRO", "reweighing", "group DRO", "reweighing"]
    plain, *robust, dro_again, reweighed_again = (
        fit_network(
            batch, task, replace(QUICK, robustness=way), seed=1, folder=tmp_path / str(number)
        ).state_dict()["head.log_noise_H"]
        for number, way in enumerate(asked)
    )
    for fitted, again in zip(robust, (dro_again, reweighed_again), strict=True):
        assert torch.isfinite(fitted).all()
        assert not torch.equal(plain, fitted)
        assert torch.equal(fitted, again)


@pytest.mark.parametrize(("minimum", "worst_counts"), [(1, True), (10_000, False)])
def test_the_worst_group_decides_the_best_epoch_if_it_is_large_enough(
    batch: SequenceBatch, task: Task, minimum: int, *, worst_counts: bool
) -> None:
    member_BG = memberships(batch)
    module = NetworkModule(
        new_network(batch.layout, task, "hybrid", 4),
        replace(QUICK, minimum_group=minimum),
        seed=0,
        span=66.0,
        groups=member_BG.shape[1],
    )
    logged: dict[str, float] = {}
    module.log = lambda name, value: logged.update({name: float(value)})  # type: ignore[method-assign, assignment]
    module.on_validation_epoch_start()
    with torch.no_grad():
        module.validation_step([*tensors(batch), torch.from_numpy(member_BG)], 0)
    module.on_validation_epoch_end()
    mean_G = np.asarray(module._loss_G / module._pairs_G.clamp(min=1))
    assert logged[VALIDATION_LOSS] == pytest.approx(mean_G.max() if worst_counts else mean_G[0])
    assert mean_G[1:].max() > mean_G[0]
