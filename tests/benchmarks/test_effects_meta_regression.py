from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from support.effects import meta_regression
from support.effects.meta_regression import Mixture, Trial, fit, leave_one_out, moments

WIDE = np.ones(2)


def of(name: str, difference: list[float], variance: float, dose: list[float]) -> Trial:
    """Return contrasts with one shared arm, half of each variance."""
    count = len(difference)
    covariance = variance * (np.eye(count) + np.ones((count, count))) / 2
    return Trial(
        name, np.array(difference), covariance, np.stack([np.ones(count), np.array(dose)], axis=1)
    )


def simulated(seed: int, number: int, spread: float) -> list[Trial]:
    """Return trials of two arms: constant .2, slope .1, by spread."""
    rng = np.random.default_rng(seed)
    dose = rng.uniform(0, 6, number)
    differences = 0.2 + 0.1 * dose + np.hypot(spread, 0.2) * rng.normal(size=number)
    return [
        of(str(i), [y], 0.04, [d]) for i, (y, d) in enumerate(zip(differences, dose, strict=True))
    ]


def test_a_score_is_that_of_its_definition() -> None:
    one = Mixture(np.ones(1), np.zeros(1), np.ones(1))
    assert one.crps(0.0) == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi))
    two = Mixture(np.array([0.3, 0.7]), np.array([-1.0, 2]), np.array([0.5, 1.5]))
    below = quad(lambda x: two.cdf(x) ** 2, -12, 0.4)[0]
    above = quad(lambda x: (1 - two.cdf(x)) ** 2, 0.4, 14)[0]
    assert two.crps(0.4) == pytest.approx(below + above, rel=1e-6)
    assert moments(two) == pytest.approx((1.1, np.sqrt(0.3 * 1.25 + 0.7 * 6.25 - 1.21)))


def test_coefficients_are_those_of_weighted_least_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known spread 0 and a prior that says nothing: 1 at dose 0 and 3 at dose 4, slope 1/2."""
    monkeypatch.setattr(meta_regression, "SPREAD_T", np.zeros(1))
    found = fit([of("a", [1.0], 0.01, [0]), of("b", [3.0], 0.01, [4])], np.full(2, 1e4))
    np.testing.assert_allclose(found.mean_TP[0], [1, 0.5], atol=1e-6)
    assert found.covariance_TPP[0, 1, 1] == pytest.approx(2 * 0.01 / 16, rel=1e-4)


def test_the_marginal_likelihood_of_a_spread_is_the_whole_density() -> None:
    """Coefficients integrated out: the differences are normal with X X' added to their errors."""
    trials = [of("a", [0.4, 1.0], 0.05, [1, 3]), of("b", [-0.2], 0.02, [0]), of("c", [2], 0.1, [2])]
    found = fit(trials, WIDE)
    y, x = (np.concatenate([getattr(t, n) for t in trials]) for n in ("difference_K", "design_KP"))
    log = []
    for spread in meta_regression.SPREAD_T:
        cov = x @ x.T
        start = 0
        for t in trials:
            k = len(t.difference_K)
            part = slice(start, start + k)
            cov[part, part] += t.covariance_KK + spread**2 * (np.eye(k) + np.ones((k, k))) / 2
            start += k
        log.append(-(np.linalg.slogdet(cov)[1] + y @ np.linalg.solve(cov, y)) / 2 - 2 * spread**2)
    expected = np.exp(np.array(log) - max(log))
    np.testing.assert_allclose(found.weight_T, expected / expected.sum(), rtol=1e-8)


def test_a_trial_left_out_says_nothing_of_itself() -> None:
    trials = simulated(0, 8, 0.3)
    before = leave_one_out(trials, WIDE)[3][0]
    after = leave_one_out(
        [*trials[:3], of("x", [40.0], 0.04, [trials[3].design_KP[0, 1]]), *trials[4:]],
        WIDE,
    )
    np.testing.assert_allclose(after[3][0].mean_T, before.mean_T)
    assert not np.allclose(after[2][0].mean_T, leave_one_out(trials, WIDE)[2][0].mean_T)
    with pytest.raises(ValueError, match="at least two"):
        leave_one_out(trials[:1], WIDE)
    with pytest.raises(ValueError, match="at least one"):
        fit([], WIDE)


def test_all_that_is_of_one_trial_is_left_out_together() -> None:
    """Two outcomes of one trial are of the same people: neither may forecast the other."""
    trials = simulated(1, 6, 0.3)
    twice = [*trials, of("0", [9.0], 0.04, [1])]
    found = leave_one_out(twice, WIDE)[0][0]
    np.testing.assert_allclose(found.mean_T, leave_one_out(trials, WIDE)[0][0].mean_T)


def test_intervals_of_new_trials_and_of_the_slope_hold_as_often_as_they_say() -> None:
    """SIMULATED: 60 collections of 15 trials."""
    place, slope = [], []
    for seed in range(60):
        trials = simulated(seed, 15, 0.3)
        slope.append(fit(trials, WIDE).coefficient(1).cdf(0.1))
        place += [
            own.cdf(t.difference_K[0])
            for t, (own,) in zip(trials, leave_one_out(trials, WIDE), strict=True)
        ]
    assert 0.87 <= np.mean([0.05 <= p <= 0.95 for p in place]) <= 0.93
    assert 0.8 <= np.mean([0.05 <= p <= 0.95 for p in slope]) <= 0.97
