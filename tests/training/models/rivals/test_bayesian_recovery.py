from __future__ import annotations

import numpy as np
import pytest
import torch

from training.models.rivals.bayesian_recovery import (
    Population,
    fit_population,
    levels,
    weights,
)

DAYS = torch.tensor([0.0, 14, 30, 60, 120, 250], dtype=torch.float64)


def simulated(subjects: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """SIMULATED courses; the third covariate moves the start, the fourth the share regained."""
    generator = np.random.default_rng(seed)
    covariate = np.column_stack([np.ones(subjects), generator.normal(size=(subjects, 4))])
    effect = np.array([[-0.5, 0.5, np.log(30)], [0, 0, 0], [0.8, 0, 0], [0, 0.9, 0], [0, 0, 0]])
    latent = covariate @ effect + generator.normal(size=(subjects, 3)) * [0.7, 0.8, 0.4]
    latent_R13 = torch.from_numpy(latent)[:, None]
    days_RW = DAYS.expand(subjects, -1)
    level_RW = levels(latent_R13, days_RW)[..., 0].numpy()
    share = level_RW + 0.04 * generator.normal(size=level_RW.shape)
    return days_RW, torch.from_numpy(np.clip(share, 0, 1)), torch.from_numpy(covariate)


def test_the_population_of_simulated_curves_is_found() -> None:
    population = fit_population(*simulated(200, seed=0), doubt=1.0)
    effect = population.effect_F3.numpy()
    assert effect[0, 0] == pytest.approx(-0.5, abs=0.15)
    assert effect[0, 1] == pytest.approx(0.5, abs=0.25)
    assert effect[0, 2] == pytest.approx(np.log(30), abs=0.25)
    assert effect[2, 0] == pytest.approx(0.8, abs=0.15)
    assert effect[3, 1] == pytest.approx(0.9, abs=0.3)
    assert abs(effect[4]).max() < 0.2
    assert population.noise == pytest.approx(0.04, abs=0.012)


def test_a_doubted_covariate_has_no_effect_and_the_days_since_onset_keep_theirs() -> None:
    population: Population = fit_population(*simulated(100, seed=1), doubt=1e6)
    assert population.effect_F3[3:].abs().max() < 0.01
    assert population.effect_F3[2, 0] > 0.5


def test_curves_that_the_scores_contradict_weigh_nothing_and_none_is_told_by_no_score() -> None:
    level_RWP = torch.tensor([[[0.2, 0.8]], [[0.2, 0.8]], [[0.2, 1.4]]], dtype=torch.float64)
    share_RW = torch.tensor([[0.2], [np.nan], [1.0]], dtype=torch.float64)
    weight_RP = weights(level_RWP, share_RW, 0.05)
    assert weight_RP[0, 0] > 0.999
    torch.testing.assert_close(weight_RP[1], torch.tensor([0.5, 0.5], dtype=torch.float64))
    # At the ceiling the level may be beyond it.
    assert weight_RP[2, 1] > 0.999
