"""A population that nobody published: fitted to people, it is where they are, and no other one is touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from contracts.priors import FLAT, shipped_prior
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models.architectures import new_network
from training.models.layers.fitted_population import fit_population
from training.models.layers.recovery_curves import RecoveryCurves, level, score_log_likelihood

PEOPLE = 80


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As a fit has it: sums are then the same everywhere, and nobody waits for threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


DAY_W = torch.tensor([10.0, 90.0, 360.0])


def planted(regained: float, noise: float) -> tuple[Tensor, Tensor, Tensor]:
    """Scores of SIMULATED people who regain such a share of what they miss, within two months."""
    torch.manual_seed(3)
    start_B1 = torch.rand(PEOPLE, 1) * 0.5 + 0.2
    level_BW = start_B1 + regained * (1 - start_B1) * (1 - torch.exp(-DAY_W / 60))
    share_BW = (level_BW + noise * torch.randn_like(level_BW)).clamp(0.01, 0.99)
    return share_BW, torch.ones_like(share_BW), DAY_W.expand_as(share_BW)


def fresh() -> tuple[RecoveryCurves, nn.Parameter]:
    return RecoveryCurves(64, FLAT), nn.Parameter(torch.tensor(FLAT.noise_share).log())


def evidence(curves: RecoveryCurves, log_noise: Tensor, scores: tuple[Tensor, ...]) -> float:
    share_BW, count_BW, days_BW = scores
    each_BP = score_log_likelihood(curves.latent(), share_BW, count_BW, days_BW, log_noise)
    weight_P = torch.log_softmax(curves.log_weight(), dim=-1)
    return float(torch.logsumexp(each_BP + weight_P, dim=-1).mean().detach())


def halves(scores: tuple[Tensor, Tensor, Tensor], odd: int) -> tuple[Tensor, Tensor, Tensor]:
    share_BW, count_BW, days_BW = (each[odd::2] for each in scores)
    return share_BW, count_BW, days_BW


def fit(scores: tuple[Tensor, Tensor, Tensor]) -> tuple[RecoveryCurves, nn.Parameter]:
    curves, log_noise = fresh()
    past = scores[0][:, :1], scores[1][:, :1], scores[2][:, :1]
    later = scores[0][:, 1:], scores[1][:, 1:], scores[2][:, 1:]
    fit_population(curves, log_noise, past, later)
    return curves, log_noise


def error(curves: RecoveryCurves, log_noise: Tensor, scores: tuple[Tensor, ...]) -> float:
    """Return how far the last score is from what the first one lets expect, on average."""
    share_BW, count_BW, days_BW = scores
    first_BP = score_log_likelihood(
        curves.latent(), share_BW[:, :1], count_BW[:, :1], days_BW[:, :1], log_noise
    )
    weight_BP = torch.softmax(first_BP + curves.log_weight(), dim=-1)
    expected_B = weight_BP @ level(curves.latent(), DAY_W[-1:])
    return float((expected_B - share_BW[:, -1]).abs().mean().detach())


@pytest.mark.parametrize("noise", [0.02, 0.1])
@pytest.mark.parametrize("regained", [0.0, 0.8])
def test_of_others_from_the_same_clinic_it_expects_what_they_regain(
    regained: float, noise: float
) -> None:
    scores = planted(regained, noise)
    fitted, others = fit(halves(scores, 0)), halves(scores, 1)
    assert evidence(*fitted, others) > evidence(*fresh(), others)
    assert error(*fitted, others) < 0.6 * error(*fresh(), others)


def test_the_noise_of_exact_scores_is_less_than_that_of_scattered_ones() -> None:
    exact, scattered = (float(fit(planted(0.3, noise))[1].exp().detach()) for noise in (0.02, 0.1))
    assert exact < 0.05 < scattered


def test_without_any_score_nothing_changes() -> None:
    curves, log_noise = fresh()
    nothing = torch.zeros(5, 2)
    fit_population(curves, log_noise, (nothing, nothing, nothing), (nothing, nothing, nothing))
    before, noise = fresh()
    assert all(map(torch.equal, curves.parameters(), before.parameters()))
    assert torch.equal(log_noise, noise)


def test_a_published_population_is_where_it_was_published(batch: SequenceBatch, task: Task) -> None:
    """Weights, and so forecasts, of a task with a prior are the same to the last bit."""
    assert task.prior == shipped_prior("stroke-upper-limb")
    network = new_network(batch.layout, task, "hybrid", hidden=8)
    network.encoder.learn(batch)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.learn_start(batch)
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_flat_start_is_fitted_and_the_noise_of_outcomes_with_it(
    batch: SequenceBatch, task: Task
) -> None:
    flat = task.model_copy(update={"prior": None})
    network = new_network(batch.layout, flat, "hybrid", hidden=8)
    network.encoder.learn(batch)
    network.learn_start(batch)
    state = network.state_dict()
    fitted = state["encoder.log_noise"]
    assert not torch.isclose(fitted.exp(), torch.tensor(FLAT.noise_share), atol=1e-3)
    assert torch.equal(state["head.log_noise_H"], fitted.expand_as(state["head.log_noise_H"]))


def test_a_network_without_a_population_has_nothing_to_fit(
    batch: SequenceBatch, task: Task
) -> None:
    network = new_network(batch.layout, task, "GRU-D", hidden=8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.learn_start(batch)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
