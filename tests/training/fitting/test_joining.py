from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from contracts.bundle import FORECASTS, WEIGHTS, Joined
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting import joining
from training.fitting.config import TrainingConfig
from training.fitting.joining import (
    averaged,
    best_joined,
    jackknife_variance,
    join,
    raw_quantiles,
    variance_by_people,
)
from training.fitting.network_fit import fit_network, forward
from training.models.layers.network import Network
from training.scores import mean_crps

QUICK = TrainingConfig(max_epochs=2, folds=3, hidden=4)


@pytest.fixture(scope="module")
def members(
    batch: SequenceBatch, task: Task, tmp_path_factory: pytest.TempPathFactory
) -> list[Network]:
    return [
        fit_network(batch, task, QUICK, seed=seed, folder=tmp_path_factory.mktemp("fit"))
        for seed in (1, 2)
    ]


def test_the_mean_of_a_network_and_itself_is_that_network(
    batch: SequenceBatch, members: list[Network]
) -> None:
    one = averaged([members[0], deepcopy(members[0])])
    np.testing.assert_array_equal(forward(one, batch), forward(members[0], batch))


def test_every_weight_is_the_mean_and_the_members_stay_as_they_are(members: list[Network]) -> None:
    before = [deepcopy(member.state_dict()) for member in members]
    mean = averaged(members).state_dict()
    for name, first in before[0].items():
        second = before[1][name]
        if first.is_floating_point():
            torch.testing.assert_close(mean[name], (first + second) / 2)
        else:
            assert torch.equal(first, second), name
            assert torch.equal(mean[name], first), name
        for member, state in zip(members, before, strict=True):
            assert torch.equal(member.state_dict()[name], state[name])


@pytest.mark.parametrize(("accepted", "joined"), [(np.inf, WEIGHTS), (-1.0, FORECASTS)])
def test_the_weights_are_averaged_as_long_as_the_measured_loss_is_small(
    batch: SequenceBatch,
    task: Task,
    members: list[Network],
    monkeypatch: pytest.MonkeyPatch,
    accepted: float,
    joined: Joined,
) -> None:
    fold_B = batch.subject_B % 2
    unseen = {0: members, 1: members[::-1]}
    losses = {
        way: mean_crps(batch.truth_BH, raw_quantiles(join(members, way), batch, task))
        for way in (WEIGHTS, FORECASTS)
    }
    measured = losses[WEIGHTS] / losses[FORECASTS] - 1
    for limit, expected in ((measured + 1e-4, WEIGHTS), (measured - 1e-4, FORECASTS)):
        monkeypatch.setattr(joining, "ACCEPTED_LOSS", limit)
        assert best_joined(unseen, fold_B, batch, task)[0] == expected
    monkeypatch.setattr(joining, "ACCEPTED_LOSS", accepted)
    chosen, raw_BHQ = best_joined(unseen, fold_B, batch, task)
    assert chosen == joined
    np.testing.assert_allclose(
        raw_BHQ, raw_quantiles(join(members, joined), batch, task), atol=1e-4
    )


def test_networks_that_started_apart_are_not_made_one(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    """The rule can fail: weights of other beginnings have no common meaning."""
    config = TrainingConfig(max_epochs=12, folds=3, hidden=4, architecture="GRU-D")
    apart = [
        fit_network(batch, task, replace(config, seed=seed), seed=seed, folder=tmp_path / str(seed))
        for seed in (1, 2)
    ]
    fold_B = np.zeros(len(batch), dtype=np.int_)
    assert best_joined({0: apart}, fold_B, batch, task)[0] == FORECASTS


@pytest.mark.parametrize("folds", [3, 5])
def test_the_jackknife_finds_the_variance_of_a_mean_by_who_was_asked(folds: int) -> None:
    """Of 60 people with a variance of 9 a mean has one of 9 / 60, whichever fold is looked at."""
    generator = np.random.default_rng(folds)
    person_RFN = generator.normal(0, 3, (4_000, folds, 60 // folds))
    # Fold 0 is the one that no member has seen; each lacks one of the others as well.
    means = [
        np.delete(person_RFN, [0, other], axis=1).mean(axis=(1, 2)) for other in range(1, folds)
    ]
    said_R = jackknife_variance(np.stack(means))
    assert said_R.mean() == pytest.approx(9 / 60, rel=0.05)


def test_members_that_agree_leave_nothing_to_more_people(
    batch: SequenceBatch, members: list[Network]
) -> None:
    fold_B = batch.subject_B % 2
    apart = variance_by_people({0: members, 1: members[::-1]}, fold_B, batch)
    assert (apart > 0).mean() > 0.9
    alike = variance_by_people({0: members[:1] * 2, 1: members[:1] * 2}, fold_B, batch)
    assert not alike.any()
