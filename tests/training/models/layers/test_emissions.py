"""The emission model's log likelihood against the full normal density."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import multivariate_normal

from training.models.layers.emissions import WINDOW_DAYS, Emissions

DAYS, CURVES = 9, 6


def example(seed: int) -> tuple[Emissions, torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Return emissions of two modalities (three channels and one), days with gaps, and curves."""
    torch.manual_seed(seed)
    emissions = Emissions(torch.tensor([[1.0, 1, 1, 0], [0, 0, 0, 1]]))
    with torch.no_grad():
        for parameter in emissions.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))
    seen_BTC = (torch.rand(2, DAYS, 4) < 0.6).float()
    x_BTC = torch.randn(2, DAYS, 4) * seen_BTC
    curves = [torch.rand(2, DAYS // WINDOW_DAYS, CURVES) for _ in ("level", "lead")]
    return emissions, x_BTC, seen_BTC, curves


def test_the_log_likelihood_is_that_of_all_the_days_of_a_modality() -> None:
    """Daily noise, an intercept of each channel and one shared by all: one normal density."""
    emissions, x_BTC, seen_BTC, (level_BWP, lead_BWP) = example(seed=0)
    likelihood_BMP = emissions(x_BTC, seen_BTC, level_BWP, lead_BWP).detach().numpy()
    weights = {name: value.detach().numpy() for name, value in emissions.named_parameters()}
    for b, (m, columns) in ((b, pair) for b in range(2) for pair in ((0, [0, 1, 2]), (1, [3]))):
        day_N, column_N = np.nonzero(seen_BTC[b][:, columns].numpy())
        channel_N = np.array(columns)[column_N]
        same_NN = channel_N[:, None] == channel_N
        covariance_NN = (
            np.diag(np.exp(2 * weights["log_daily_noise_C"])[channel_N])
            + same_NN * np.exp(2 * weights["log_person_spread_C"])[channel_N]
            + np.outer(weights["loading_C"][channel_N], weights["loading_C"][channel_N])
        )
        centred_NP = 2 * level_BWP[b].numpy()[day_N // WINDOW_DAYS] - 1
        lead_NP = lead_BWP[b].numpy()[day_N // WINDOW_DAYS]
        mean_NP = (
            weights["intercept_C"][channel_N, None]
            + weights["slope_C"][channel_N, None] * centred_NP
            + weights["curvature_C"][channel_N, None] * centred_NP**2
            + weights["lead_C"][channel_N, None] * lead_NP
        )
        # A window's mean stands for its days: the rest of the density is the same for any curve.
        value_N = x_BTC[b].numpy()[day_N, channel_N]
        full_P = [multivariate_normal(mean, covariance_NN).logpdf(value_N) for mean in mean_NP.T]
        gap_P = likelihood_BMP[b, m] - np.array(full_P)
        np.testing.assert_allclose(gap_P - gap_P[0], 0, atol=2e-4)


def test_a_channel_that_was_never_observed_is_no_evidence() -> None:
    emissions, x_BTC, seen_BTC, curves = example(seed=1)
    likelihood_BMP = emissions(0 * x_BTC, 0 * seen_BTC, *curves)
    np.testing.assert_array_equal(likelihood_BMP.detach(), 0)
