from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.stats import norm

from contracts.priors import FLAT, shipped_prior
from training.models.layers.recovery_curves import (
    RecoveryCurves,
    level,
    level_at_horizons,
    score_log_likelihood,
)


def one_curve(start: float, rate: float, days: float) -> torch.Tensor:
    logit = lambda p: np.log(p / (1 - p))  # noqa: E731
    return torch.tensor([[logit(start), logit(rate), np.log(days)]], dtype=torch.float32)


@given(
    st.floats(0.02, 0.9), st.floats(0.05, 0.95), st.floats(3, 90), st.floats(1, 200),
    st.floats(0.5, 3.0),
)  # fmt: skip
def test_the_closed_form_is_the_solution_of_the_differential_equation(
    start: float, rate: float, days: float, onset: float, factor: float
) -> None:
    capacity = start + rate * (1 - start)

    def slope(t: float, x: np.ndarray) -> np.ndarray:
        # The therapy plan speeds recovery up from the origin on.
        return (factor if t >= onset else 1.0) / days * (capacity - x)

    before = solve_ivp(slope, (0, onset), [start], rtol=1e-8).y[0, -1]
    after = solve_ivp(slope, (onset, onset + 60), [before], rtol=1e-8).y[0, -1]
    curve = one_curve(start, rate, days)
    assert float(level(curve, torch.tensor([onset]))[0]) == pytest.approx(before, abs=1e-4)
    ahead = torch.full((1, 1, 1), 60 * factor)
    predicted = level_at_horizons(curve, torch.tensor([onset]), ahead)
    assert float(predicted) == pytest.approx(after, abs=1e-4)


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
    likelihood_P = score_log_likelihood(
        torch.from_numpy(mean_WP)[None],
        *(torch.tensor(x[None], dtype=torch.float32) for x in (share, count)),
        torch.tensor(noise).log(),
    ).numpy()[0]
    # Up to a constant, which does not change the softmax.
    np.testing.assert_allclose(
        likelihood_P - likelihood_P[0], expected_P - expected_P[0], atol=1e-2
    )


@given(st.floats(-2, 2), st.floats(1, 90), st.floats(0, 400), st.floats(0.001, 0.999))
def test_the_gain_after_enrolment_is_an_amount_of_logits_that_saturates(
    gain: float, days: float, since: float, level: float
) -> None:
    curves = RecoveryCurves(4, FLAT)
    with torch.no_grad():
        curves.gain_G.fill_(gain)
        curves.log_gain_spread.fill_(-30)
        curves.log_gain_days.fill_(np.log(days))
        level_P = torch.full((20,), level, dtype=torch.float64)
        gained_P = curves.after_enrolment(level_P, torch.tensor([since]))
        before_P = curves.after_enrolment(level_P, torch.tensor([-since]))
    expected = np.log(level / (1 - level)) + gain * (1 - np.exp(-since / days))
    assert torch.logit(gained_P).numpy() == pytest.approx(expected, abs=1e-4)
    assert torch.allclose(before_P, level_P)


def test_the_learned_population_starts_as_the_published_one() -> None:
    curves = RecoveryCurves(256, shipped_prior("stroke-upper-limb"))
    with torch.no_grad():
        weight_P = torch.softmax(curves.log_weight(), 0)
        score_P = 66 * level(curves.latent(), torch.tensor(7 * 26.0))
        mean = float((weight_P * score_P).sum())
    # van der Vliet 2020 implies a mean of 43.8 at week 26; the spread within groups changes it.
    assert mean == pytest.approx(43.8, abs=3)


def test_a_flat_population_prefers_no_start_and_no_share_regained() -> None:
    curves = RecoveryCurves(512, FLAT)
    with torch.no_grad():
        weight_P = torch.softmax(curves.log_weight(), 0).numpy()
        start_P, rate_P = torch.sigmoid(curves.latent()[:, :2]).numpy().T
    for share_P in (start_P, rate_P):
        shares, _ = np.histogram(share_P, bins=5, range=(0, 1), weights=weight_P)
        # The published groups of the arm have 0.4 and 0.02 of the starts in the outer fifths.
        assert shares == pytest.approx([0.2] * 5, abs=0.05)
