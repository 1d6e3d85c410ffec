from __future__ import annotations

import numpy as np
import pytest

from features.simulate.latent import LATENT, Groups, Shift, latents_from_draws, responsibility
from features.simulate.recovery import arm_level, speed, walking

PEOPLE = 20_000
NEARLY_NONE = 1e-9


def latents(groups: Groups, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    normal = generator.normal(size=(PEOPLE, len(LATENT)))
    return latents_from_draws(generator.random(PEOPLE), normal, groups, Shift())


def test_courses_without_spread_between_patients_are_the_published_mixture() -> None:
    """Against the table computed from the authors' code (research notes, A1)."""
    published = Groups(rate_spread=NEARLY_NONE, time_spread=NEARLY_NONE)
    group, latent = latents(published)
    np.testing.assert_allclose(np.bincount(group) / PEOPLE, published.share, atol=0.01)
    # The published means, 18.6 and 27.1 points at weeks 0 and 1 and 43.8 (SD 23.3) at week 26, are
    # of noisy scores clipped at 66, which moves them by less than a point.
    standard_error = 23 / np.sqrt(PEOPLE)
    for week, mean in ((0, 18.6), (1, 27.1), (26, 43.8)):
        level = arm_level(latent, np.array([[7.0 * week]]))
        assert level.mean() == pytest.approx(mean, abs=3 * standard_error + 1)
    assert level.std() == pytest.approx(23.3, abs=1.0)


def test_courses_rise_toward_a_ceiling_and_never_leave_the_scale() -> None:
    _, latent = latents(Groups())
    day = np.arange(0, 400, dtype=float)[None]
    for course, best in ((arm_level(latent, day), 66.0), (walking(latent, day), 1.0)):
        assert (np.diff(course, axis=1) >= 0).all()
        assert course.min() >= 0
        assert course.max() <= best


def test_daily_use_plateaus_before_impairment_and_capacity_after_it() -> None:
    _, latent = latents(Groups())
    day = np.array([[20.0]])
    quick, plain, slow = (arm_level(latent, day, slowness=s) for s in (0.6, 1.0, 1.3))
    assert (quick >= plain).all()
    assert (plain >= slow).all()


def test_nobody_below_the_first_steps_has_a_speed() -> None:
    _, latent = latents(Groups())
    assert (speed(latent, np.full((PEOPLE, 1), 0.2)) == 0).all()
    assert (speed(latent, np.full((PEOPLE, 1), 0.9)) > 0).all()


def test_group_chances_agree_with_the_groups_that_latents_were_drawn_from() -> None:
    group, latent = latents(Groups())
    chance = responsibility(latent, Groups(), Shift())
    np.testing.assert_allclose(chance.sum(axis=1), 1)
    # Calibration by group: those given a chance of about p are in the group p of the time.
    for g in range(5):
        likely = chance[:, g] > 0.5
        expected, spread = chance[likely, g].mean(), 4 * 0.5 / np.sqrt(likely.sum())
        assert (group[likely] == g).mean() == pytest.approx(expected, abs=spread)


def test_a_shift_moves_what_it_says() -> None:
    generator = np.random.default_rng(3)
    uniform, normal = generator.random(PEOPLE), generator.normal(size=(PEOPLE, len(LATENT)))
    plain_group, plain = latents_from_draws(uniform, normal, Groups(), Shift())
    _, slower = latents_from_draws(uniform, normal, Groups(), Shift(time_factor=1.4))
    np.testing.assert_allclose(slower[:, 2] - plain[:, 2], np.log(1.4))
    poorer_group, _ = latents_from_draws(uniform, normal, Groups(), Shift(poor_factor=2.0))
    assert (poorer_group == 0).mean() > 1.4 * (plain_group == 0).mean()
