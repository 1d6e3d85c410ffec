from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.stats import norm

from training.models.layers.bounded_distribution import CELLS, crps, median, mixture_cdf, quantiles
from training.models.layers.recovery_curves import (
    RecoveryCurves,
    level,
    level_at_horizons,
    score_log_likelihood,
)

LEVELS = torch.linspace(0.05, 0.95, 19)


def one_curve(start: float, rate: float, days: float) -> torch.Tensor:
    logit = lambda p: np.log(p / (1 - p))  # noqa: E731
    return torch.tensor([[logit(start), logit(rate), np.log(days)]], dtype=torch.float32)


@given(
    st.floats(0.02, 0.9), st.floats(0.05, 0.95), st.floats(3, 90), st.floats(1, 200),
    st.floats(0.5, 3.0),
)  # fmt: skip
def test_the_closed_form_is_the_solution_of_the_differential_equation(
    start: float, rate: float, days: float, onset: float, faster: float
) -> None:
    capacity = start + rate * (1 - start)

    def slope(t: float, x: np.ndarray) -> np.ndarray:
        # The plan speeds the rate up from the origin on.
        return (faster if t >= onset else 1.0) / days * (capacity - x)

    before = solve_ivp(slope, (0, onset), [start], rtol=1e-8).y[0, -1]
    after = solve_ivp(slope, (onset, onset + 60), [before], rtol=1e-8).y[0, -1]
    curve = one_curve(start, rate, days)
    assert float(level(curve, torch.tensor([onset]))[0]) == pytest.approx(before, abs=1e-4)
    ahead = torch.full((1, 1, 1), 60 * faster)
    found = level_at_horizons(curve, torch.tensor([onset]), ahead)
    assert float(found) == pytest.approx(after, abs=1e-4)


def test_past_scores_weigh_curves_by_their_censored_normal_likelihood() -> None:
    curves = torch.cat([one_curve(0.1, 0.5, 20), one_curve(0.6, 0.9, 10), one_curve(0.02, 0.1, 30)])
    share, days = np.array([0.0, 0.4, 1.0, 0.7]), np.array([2.0, 9.0, 30.0, 44.0])
    count, noise = np.array([1.0, 1.0, 1.0, 0.0]), 0.2
    mean_WP = level(curves, torch.tensor(days, dtype=torch.float32)[:, None]).numpy()
    expected_P = (
        norm.logcdf(0.0, mean_WP[0], noise)
        + norm.logpdf(0.4, mean_WP[1], noise)
        + norm.logsf(1.0, mean_WP[2], noise)
    )
    found_P = score_log_likelihood(
        curves,
        *(torch.tensor(x[None], dtype=torch.float32) for x in (share, count, days)),
        torch.tensor(noise).log(),
    ).numpy()[0]
    # Up to a constant: it is what softmax keeps.
    np.testing.assert_allclose(found_P - found_P[0], expected_P - expected_P[0], atol=1e-2)


@given(st.floats(-0.2, 1.2), st.floats(0.02, 0.5))
def test_quantiles_are_those_of_the_censored_normal(mean: float, spread: float) -> None:
    one = torch.ones(1, 1, 1)
    found = quantiles(mixture_cdf(one, mean * one, spread * one), LEVELS)[0, 0].numpy()
    expected = np.clip(norm.ppf(LEVELS.numpy(), mean, spread), 0, 1)
    # Linear within a cell.
    np.testing.assert_allclose(found, expected, atol=0.5 / CELLS)
    assert (np.diff(found) >= 0).all()


@given(st.floats(-0.2, 1.2), st.floats(0.04, 0.5), st.integers(0, 66))
def test_the_crps_is_that_of_draws_from_the_censored_normal(
    mean: float, spread: float, score: int
) -> None:
    one = torch.ones(1, 1, 1)
    cdf = mixture_cdf(one, mean * one, spread * one)
    found = float(crps(cdf, torch.tensor([[score / 66]]))[0, 0])
    grid = (np.arange(2_000) + 0.5) / 2_000
    draws = np.clip(norm.ppf(grid, mean, spread), 0, 1)
    # E|X - y| - E|X - X'| / 2 (Gneiting and Raftery 2007), the second by the sorted draws.
    pairs = 2 * np.mean(draws * (2 * grid - 1))
    assert found == pytest.approx(np.mean(np.abs(draws - score / 66)) - pairs / 2, abs=4e-3)


def test_the_learned_population_starts_as_the_published_one() -> None:
    curves = RecoveryCurves(256)
    with torch.no_grad():
        weight_P = torch.softmax(curves.log_weight(), 0)
        score_P = 66 * level(curves.latent(), torch.tensor(7 * 26.0))
        mean = float((weight_P * score_P).sum())
    # van der Vliet 2020 implies a mean of 43.8 at week 26; our spread within groups moves it a bit.
    assert mean == pytest.approx(43.8, abs=3)


@given(st.integers(0, 1_000), st.floats(-1.0, 2.0))
def test_the_median_sought_is_the_median_of_the_grid(seed: int, around: float) -> None:
    """Also where all mass lies at or beyond an end of the scale."""
    generator = torch.Generator().manual_seed(seed)
    weight_BHS = torch.rand(3, 2, 4, generator=generator)
    weight_BHS = weight_BHS / weight_BHS.sum(dim=-1, keepdim=True)
    mean_BHS = around + 0.3 * torch.randn(3, 2, 4, generator=generator)
    spread_BHS = 0.01 + 0.3 * torch.rand(3, 2, 4, generator=generator)
    cdf_BHK = mixture_cdf(weight_BHS, mean_BHS, spread_BHS)
    expected_BH = quantiles(cdf_BHK, torch.tensor([0.5]))[..., 0]
    np.testing.assert_allclose(median(weight_BHS, mean_BHS, spread_BHS), expected_BH, atol=1e-4)
