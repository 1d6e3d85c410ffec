from __future__ import annotations

import numpy as np
import pytest
import torch

from training.models.rivals import recovery_process as module
from training.models.rivals.recovery_process import Process, log_marginal, posterior


def a_process() -> Process:
    """Two instruments, of which the second goes with the first."""
    return Process(
        knots_K=torch.tensor([0.0, 2.0, 4.0, 6.0], dtype=torch.float64),
        mean_KC=torch.tensor([[-2.0, -1.0], [-1, 0], [0.5, 1], [1, 1.5]], dtype=torch.float64),
        lasting_CC=torch.tensor([[1.0, 0.6], [0.6, 0.9]], dtype=torch.float64),
        passing_CC=torch.tensor([[0.5, 0.2], [0.2, 0.4]], dtype=torch.float64),
        memory=torch.tensor(0.8, dtype=torch.float64),
        noise_C=torch.tensor([0.1, 0.3], dtype=torch.float64),
    )


TIME = np.array([[1.0, 1.0, 2.5], [0.5, 3.0, 0.0]])
OF = np.array([[0, 1, 0], [1, 0, 0]])
VALUE = np.array([[-1.0, 0.5, 0.0], [0.3, 1.0, np.nan]])
LATER = np.array([[3.0, 4.5], [3.5, 5.9]])


def dense(process: Process, row: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Solve one row by the textbook, score by score: mean, variance and log density."""
    lasting, passing, noise = (
        x.numpy() for x in (process.lasting_CC, process.passing_CC, process.noise_C)
    )
    seen = ~np.isnan(VALUE[row])
    time, of, value = TIME[row, seen], OF[row, seen], VALUE[row, seen]

    def kernel(s: float, i: int, t: float, j: int) -> float:
        return float(lasting[i, j] + passing[i, j] * np.exp(-abs(s - t) / float(process.memory)))

    def mean(t: float, i: int) -> float:
        return float(np.interp(t, process.knots_K.numpy(), process.mean_KC.numpy()[:, i]))

    scores = list(zip(time, of, strict=True))
    covariance = np.array([[kernel(s, i, t, j) for t, j in scores] for s, i in scores])
    covariance += np.diag(noise[of])
    off = value - np.array([mean(t, i) for t, i in scores])
    cross = np.array([[kernel(later, 0, t, j) for t, j in scores] for later in LATER[row]])
    inverse = np.linalg.inv(covariance)
    means = np.array([mean(later, 0) for later in LATER[row]]) + cross @ inverse @ off
    variance = lasting[0, 0] + passing[0, 0] - np.diag(cross @ inverse @ cross.T)
    density = -0.5 * off @ inverse @ off - 0.5 * np.linalg.slogdet(covariance)[1]
    return means, variance, float(density)


def test_the_closed_form_is_that_of_a_dense_solution() -> None:
    process = a_process()
    arrays = tuple(torch.from_numpy(x) for x in (TIME, OF, VALUE))
    mean_RH, variance_RH = posterior(process, *arrays, torch.from_numpy(LATER))
    for row in range(2):
        means, variance, _ = dense(process, row)
        np.testing.assert_allclose(mean_RH[row].numpy(), means, rtol=1e-9)
        np.testing.assert_allclose(variance_RH[row].numpy(), variance, rtol=1e-9)
    total = sum(dense(process, row)[2] for row in range(2))
    assert float(log_marginal(process, *arrays)) == pytest.approx(total)


def test_a_second_instrument_narrows_the_forecast_of_the_first() -> None:
    alone = VALUE.copy()
    alone[0, 1] = np.nan
    later = torch.from_numpy(LATER)
    times, of = torch.from_numpy(TIME), torch.from_numpy(OF)
    _, both_RH = posterior(a_process(), times, of, torch.from_numpy(VALUE), later)
    _, one_RH = posterior(a_process(), times, of, torch.from_numpy(alone), later)
    assert (both_RH[0] < one_RH[0]).all()


def test_the_hyperparameters_of_simulated_courses_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIMULATED courses of a known process, one instrument: its variances come back."""
    monkeypatch.setattr(module, "STEPS", 150)
    generator = np.random.default_rng(0)
    time = np.sort(generator.uniform(1, 6, (250, 5)), axis=1)
    apart = np.abs(time[:, :, None] - time[:, None])
    covariance = 1.0 + 0.5 * np.exp(-apart / 0.8) + 0.1 * np.eye(5)
    root = np.linalg.cholesky(covariance)
    value = 0.4 * time - 1 + (root @ generator.normal(size=(250, 5, 1)))[..., 0]
    found = module._fit(
        torch.from_numpy(time), torch.zeros((250, 5), dtype=torch.int64), torch.from_numpy(value), 1
    )
    between = float(found.lasting_CC[0, 0] + found.passing_CC[0, 0])
    assert between == pytest.approx(1.5, rel=0.2)
    assert float(found.noise_C[0]) == pytest.approx(0.1, rel=0.3)
    assert float(found.mean_KC[-1, 0] - found.mean_KC[0, 0]) == pytest.approx(2.0, abs=0.3)
