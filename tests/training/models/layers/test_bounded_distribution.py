from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from contracts.task import Target
from training.models.layers.bounded_distribution import (
    FEWEST_CELLS,
    MOST_CELLS,
    cells_of,
    crps,
    median,
    mixture_cdf,
    quantiles,
)

GAIT = Target(
    code="REHABCAST//WALK_TEST_SPEED",
    low=0,
    high=3,
    step=0.01,
    minimal_important_difference=0.16,
    source="a test",
)
LEVELS = torch.linspace(0.05, 0.95, 19)


CELLS = st.integers(FEWEST_CELLS, MOST_CELLS)


@given(st.floats(0, 1), st.floats(1, 100), st.integers(1, 300), st.integers(0, 1))
def test_a_grid_is_as_fine_as_the_steps_of_its_score(
    low: float, span: float, steps: int, is_any_number: int
) -> None:
    step = (1 - is_any_number) * span / steps
    target = GAIT.model_copy(update={"low": low, "high": low + span, "step": step})
    cells = cells_of(target)
    assert FEWEST_CELLS <= cells <= MOST_CELLS
    assert cells == MOST_CELLS or (step > 0 and span / cells < 2.1 * step)


@given(st.floats(0.1, 0.35))
def test_a_range_of_walking_speed_is_not_blurred_by_its_grid(mean: float) -> None:
    """One measurement errs by 0.04 m/s (Hosoi 2023): less than a cell of 33."""
    one, error = torch.ones(1, 1, 1), 0.04 / 3
    cdf = mixture_cdf(one, mean * one, error * one, cells_of(GAIT))
    low, high = quantiles(cdf, torch.tensor([0.1, 0.9]))[0, 0]
    assert float(high - low) == pytest.approx(2 * 1.2816 * error, rel=0.05)


@given(st.floats(-0.2, 1.2), st.floats(0.02, 0.5), CELLS)
def test_quantiles_are_those_of_the_censored_normal(mean: float, spread: float, cells: int) -> None:
    one = torch.ones(1, 1, 1)
    computed = quantiles(mixture_cdf(one, mean * one, spread * one, cells), LEVELS)[0, 0].numpy()
    expected = np.clip(norm.ppf(LEVELS.numpy(), mean, spread), 0, 1)
    # Linear within a cell.
    np.testing.assert_allclose(computed, expected, atol=0.5 / cells)
    assert (np.diff(computed) >= 0).all()


@given(st.floats(-0.2, 1.2), st.floats(0.04, 0.5), st.integers(0, 66), CELLS)
def test_the_crps_is_that_of_draws_from_the_censored_normal(
    mean: float, spread: float, score: int, cells: int
) -> None:
    one = torch.ones(1, 1, 1)
    cdf = mixture_cdf(one, mean * one, spread * one, cells)
    computed = float(crps(cdf, torch.tensor([[score / 66]]))[0, 0])
    grid = (np.arange(2_000) + 0.5) / 2_000
    draws = np.clip(norm.ppf(grid, mean, spread), 0, 1)
    # E|X - y| - E|X - X'| / 2 (Gneiting and Raftery 2007), the second by the sorted draws.
    pairs = 2 * np.mean(draws * (2 * grid - 1))
    assert computed == pytest.approx(np.mean(np.abs(draws - score / 66)) - pairs / 2, abs=4e-3)


@given(st.integers(0, 1_000), st.floats(-1.0, 2.0), CELLS)
def test_the_binary_search_finds_the_median_of_the_grid(
    seed: int, around: float, cells: int
) -> None:
    """Also where all probability mass is at or beyond an end of the scale."""
    generator = torch.Generator().manual_seed(seed)
    weight_BHS = torch.rand(3, 2, 4, generator=generator)
    weight_BHS = weight_BHS / weight_BHS.sum(dim=-1, keepdim=True)
    mean_BHS = around + 0.3 * torch.randn(3, 2, 4, generator=generator)
    spread_BHS = 0.01 + 0.3 * torch.rand(3, 2, 4, generator=generator)
    cdf_BHK = mixture_cdf(weight_BHS, mean_BHS, spread_BHS, cells)
    expected_BH = quantiles(cdf_BHK, torch.tensor([0.5]))[..., 0]
    np.testing.assert_allclose(
        median(weight_BHS, mean_BHS, spread_BHS, cells), expected_BH, atol=1e-4
    )
