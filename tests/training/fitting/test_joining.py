from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from contracts.bundle import FORECASTS, WEIGHTS, Joined
from contracts.forecast import LOWER_80, QUANTILE_LEVELS, UPPER_80
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.widening import width_of_many
from training.fitting import joining
from training.fitting.config import TrainingConfig
from training.fitting.joining import (
    LARGEST_FACTOR,
    averaged,
    best_joined,
    jackknife_variance,
    join,
    learn_by_people,
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


HORIZONS = 3
people_and_days = st.tuples(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 60), max_size=40))


def forecasts(spread_BH: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal forecasts of some spread, (B, H, Q)."""
    return 30 + spread_BH[..., None] * norm.ppf(QUANTILE_LEVELS)


@given(people_and_days)
def test_what_is_told_apart_adds_up_to_what_was_measured(drawn: tuple[int, list[int]]) -> None:
    """Over all days, at each horizon, as one share for all of them did; nowhere over the whole."""
    seed, later = drawn
    generator = np.random.default_rng(seed)
    day_B = np.array([0, *later])
    spread_BH = generator.uniform(1, 10, (len(day_B), HORIZONS))
    variance_BH = spread_BH**2 * generator.uniform(0, 0.2, spread_BH.shape)
    given_BH = generator.random(spread_BH.shape) < 0.8
    learned = learn_by_people(variance_BH, forecasts(spread_BH), given_BH, day_B)
    share_BH = np.array([[learned.on(day, h) for h in range(HORIZONS)] for day in day_B])
    assert (share_BH >= 0).all()
    said_H = np.where(given_BH, share_BH * spread_BH**2, 0).sum(axis=0)
    assert said_H == pytest.approx(np.where(given_BH, variance_BH, 0).sum(axis=0))
    assert not share_BH[:, ~given_BH.any(axis=0)].any()


@given(
    st.lists(st.floats(0, 0.2), min_size=HORIZONS, max_size=HORIZONS),
    st.floats(1 / LARGEST_FACTOR, LARGEST_FACTOR),
    st.integers(0, 2**32 - 1),
)
def test_a_share_that_rises_or_falls_with_the_day_is_found(
    share: list[float], factor: float, seed: int
) -> None:
    """Closed form: what s_h exp(b d) made gives back s_h and b, whoever was seen on which day."""
    generator = np.random.default_rng(seed)
    day_B = np.repeat([7, 14, 28], 5)
    spread_BH = generator.uniform(1, 10, (len(day_B), HORIZONS))
    made_BH = np.array(share) * factor ** ((day_B - 7) / 21)[:, None]
    given_BH = np.ones(spread_BH.shape, dtype=np.bool_)
    learned = learn_by_people(made_BH * spread_BH**2, forecasts(spread_BH), given_BH, day_B)
    assert learned.days_D.tolist() == [7, 14, 28]
    assert learned.share_DH == pytest.approx(made_BH[::5], abs=1e-6)


def test_a_few_people_never_tell_a_share_of_one_day_that_is_many_times_anothers() -> None:
    day_B = np.array([0, 21])
    given_BH = np.ones((2, 1), dtype=np.bool_)
    quantiles_BHQ = forecasts(np.ones((2, 1)))
    for variance_BH in (np.array([[0.0], [0.2]]), np.array([[0.2], [0.0]])):
        share_D = learn_by_people(variance_BH, quantiles_BHQ, given_BH, day_B).share_DH[:, 0]
        assert share_D.max() / share_D.min() == pytest.approx(LARGEST_FACTOR)
        assert share_D.sum() == pytest.approx(0.2)


@given(st.floats(0, 20), st.floats(0.1, 20))
def test_the_share_by_people_takes_back_what_they_added(by_people: float, by_course: float) -> None:
    """A range of a course's spread and of a median's by people becomes that of the course alone."""
    quantiles_BHQ = forecasts(np.full((7, 2), np.hypot(by_people, by_course)))
    given_BH = np.tile([True, False], (7, 1))
    day_B = np.zeros(7, dtype=np.int64)
    learned = learn_by_people(np.full((7, 2), by_people**2), quantiles_BHQ, given_BH, day_B)
    assert learned.on(0, 1) == 0
    width = float(quantiles_BHQ[0, 0, UPPER_80] - quantiles_BHQ[0, 0, LOWER_80])
    assert width_of_many(width, learned.on(0, 0)) == pytest.approx(2 * norm.ppf(0.9) * by_course)
