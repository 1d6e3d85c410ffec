"""The emission model's log likelihood against the full normal density."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from contracts.sequences import SequenceBatch
from training.models.layers.channel_courses import COURSE_DAYS
from training.models.layers.emissions import MINIMUM_PAIRS, WINDOW_DAYS, Emissions

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
    """Daily noise, an intercept of each channel, an intercept and a course shared by all."""
    emissions, x_BTC, seen_BTC, (level_BWP, lead_BWP) = example(seed=0)
    likelihood_BMP = emissions(x_BTC, seen_BTC, level_BWP, lead_BWP).detach().numpy()
    weights = {name: value.detach().numpy() for name, value in emissions.named_parameters()}
    for b, (m, columns) in ((b, pair) for b in range(2) for pair in ((0, [0, 1, 2]), (1, [3]))):
        day_N, column_N = np.nonzero(seen_BTC[b][:, columns].numpy())
        channel_N = np.array(columns)[column_N]
        same_NN = channel_N[:, None] == channel_N
        course_N = (
            weights["course_C"][channel_N]
            * (day_N // WINDOW_DAYS - DAYS // WINDOW_DAYS + 1)
            * (WINDOW_DAYS / COURSE_DAYS)
        )
        covariance_NN = (
            np.diag(np.exp(2 * weights["log_daily_noise_C"])[channel_N])
            + same_NN * np.exp(2 * weights["log_person_spread_C"])[channel_N]
            + np.outer(weights["loading_C"][channel_N], weights["loading_C"][channel_N])
            + np.outer(course_N, course_N)
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


OWN = {1: 0.8, 2: 0.4}
"""By channel, how large the course is that it shares with the others of its modality."""


def learned(
    batch: SequenceBatch,
    *courses: dict[int, float],
    with_score: bool = False,
    modalities: tuple[tuple[int, ...], ...] = ((3, 4), (1, 2)),
) -> np.ndarray:
    """Learn from people whose channels gain together, with the score or by themselves.

    Parameters
    ----------
    courses
        What happens beside the others, each by channel.
    modalities
        Their channels. The score is channel 0 and of the first of them.
    """
    pairs, days, channels = *batch.values_BTC.shape[:2], 5
    rng = np.random.default_rng(0)
    scored_B, *alone = rng.standard_normal((1 + len(courses), pairs))
    time_T = (np.arange(days) - days + 1) / COURSE_DAYS
    x_BTC = 0.1 * rng.standard_normal((pairs, days, channels))
    x_BTC[:, :, 0] += scored_B[:, None] * time_T
    for course, alone_B in zip(courses, alone, strict=True):
        for channel, share in course.items():
            gained_B = scored_B if with_score else alone_B
            x_BTC[:, :, channel] += share * gained_B[:, None] * time_T
    channel_MC = torch.zeros(len(modalities), channels)
    for modality, columns in enumerate(modalities):
        channel_MC[modality, list(columns)] = 1
    emissions = Emissions(channel_MC, target=0, target_modality=0)
    seen = replace(batch, observed_BTC=np.ones(x_BTC.shape, np.bool_))
    emissions.learn(x_BTC, seen, 0, 66)
    return np.asarray(emissions.course_C.detach().numpy())


@pytest.mark.parametrize("with_score", [False, True])
def test_what_channels_gain_together_beside_the_score_is_a_course_of_their_own(
    batch: SequenceBatch, *, with_score: bool
) -> None:
    found_C = learned(batch, OWN, with_score=with_score)
    own = [0.0, 0.0] if with_score else [0.8, 0.4]
    np.testing.assert_allclose(found_C[1:3], own, atol=0.15)
    np.testing.assert_array_equal(np.delete(found_C, [1, 2]), 0)


def test_every_modality_has_a_course_of_its_own(batch: SequenceBatch) -> None:
    """What walking gains beside the arm is nothing that the hours of sleep gain."""
    modalities = ((), (1, 2), (3, 4))
    found_C = learned(batch, OWN, {3: 0.5, 4: -0.2}, modalities=modalities)
    np.testing.assert_allclose(found_C[1:5], [0.8, 0.4, 0.5, -0.2], atol=0.15)


def test_what_is_assessed_at_the_visits_of_the_score_has_no_course_of_its_own(
    batch: SequenceBatch,
) -> None:
    np.testing.assert_array_equal(learned(batch, OWN, modalities=((1, 2), (3, 4)))[:3], 0)


def test_of_few_people_no_course_is_learned(batch: SequenceBatch) -> None:
    few, enough = (batch.take(np.arange(n)) for n in (MINIMUM_PAIRS - 1, MINIMUM_PAIRS))
    np.testing.assert_array_equal(learned(few, OWN), 0)
    assert learned(enough, OWN)[1:3].all()


def test_a_course_of_its_own_is_no_certain_evidence_of_the_level() -> None:
    """Three weeks of days that rise say less of a rising level, the larger their own course is."""
    windows = 7
    rising_W, still_W = torch.linspace(0.3, 0.7, windows), torch.full((windows,), 0.5)
    level_BWP = torch.stack([rising_W, still_W], dim=-1)[None]
    x_BTC = (2 * rising_W - 1).repeat_interleave(WINDOW_DAYS)[None, :, None].expand(-1, -1, 2)
    gaps = []
    for course in (0.0, 0.3, 1.0):
        emissions = Emissions(torch.ones(1, 2))
        with torch.no_grad():
            emissions.slope_C.fill_(1)
            emissions.log_daily_noise_C.fill_(-1.5)
            emissions.course_C.fill_(course)
        evidence_P = emissions(x_BTC, torch.ones_like(x_BTC), level_BWP, 0 * level_BWP)[0, 0]
        gaps.append(float((evidence_P[0] - evidence_P[1]).detach()))
    assert gaps[0] > 5
    assert gaps[0] > 3 * gaps[1] > 3 * gaps[2] > 0


@pytest.mark.parametrize("empty", [(), (0,), (1,), (0, 1), (0, 1, 2)])
def test_windows_that_nobody_has_are_left_out_while_learning_and_change_nothing(
    empty: tuple[int, ...],
) -> None:
    emissions, x_BTC, seen_BTC, (level_BWP, lead_BWP) = example(seed=1)
    for window in empty:
        seen_BTC[:, window * WINDOW_DAYS : (window + 1) * WINDOW_DAYS] = 0
    x_BTC = x_BTC * seen_BTC
    every_BMP = emissions(x_BTC, seen_BTC, level_BWP, lead_BWP)
    kept_W = emissions.windows_kept(seen_BTC)
    assert isinstance(kept_W, torch.Tensor)
    assert [w for w in range(3) if not kept_W[w]] == [w for w in empty if w != 2]
    some_BMP = emissions(x_BTC, seen_BTC, level_BWP[:, kept_W], lead_BWP[:, kept_W], kept_W)
    torch.testing.assert_close(some_BMP, every_BMP)
    assert emissions.eval().windows_kept(seen_BTC) == slice(None)


def test_a_window_with_nothing_but_what_has_no_emission_model_is_left_out() -> None:
    emissions = Emissions(torch.tensor([[1.0, 0.0]]))
    seen_BTC = torch.zeros(1, DAYS, 2)
    seen_BTC[:, 0, 1] = 1
    seen_BTC[:, WINDOW_DAYS, 0] = 1
    kept_W = emissions.windows_kept(seen_BTC)
    assert isinstance(kept_W, torch.Tensor)
    assert kept_W.tolist() == [False, True, True]
