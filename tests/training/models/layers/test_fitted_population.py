"""What nobody published of a population: fitted to people it is what they show, and no more is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from contracts.priors import FLAT, RecoveryPrior, shipped_prior
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models.architectures import new_network
from training.models.layers import fitted_population
from training.models.layers.fitted_population import (
    FEWEST_COURSES,
    NAMES,
    Different,
    Scores,
    fit_gain,
    fit_population,
)
from training.models.layers.hybrid_head import CONTEXT, HybridHead
from training.models.layers.modality_evidence import RESIDUALS
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


def on_days(share_BW: Tensor, onset_W: Tensor, enrolled_W: Tensor) -> Scores:
    return Scores(
        share=share_BW,
        count=torch.ones_like(share_BW),
        onset=onset_W.expand_as(share_BW),
        enrolled=enrolled_W.expand_as(share_BW),
    )


def planted(regained: float, noise: float) -> Scores:
    """Scores of SIMULATED people who regain such a share of what they miss, within two months."""
    torch.manual_seed(3)
    start_B1 = torch.rand(PEOPLE, 1) * 0.5 + 0.2
    level_BW = start_B1 + regained * (1 - start_B1) * (1 - torch.exp(-DAY_W / 60))
    share_BW = (level_BW + noise * torch.randn_like(level_BW)).clamp(0.01, 0.99)
    return on_days(share_BW, DAY_W, DAY_W - DAY_W[0])


def on_part_of(scores: Scores, share: float) -> Scores:
    """Return the scores on a scale of which these people reach only such a share."""
    return replace(scores, share=share * scores.share)


def long_after(gain: float) -> Scores:
    """Scores of SIMULATED people years after onset who gain so many logits in weeks of therapy."""
    torch.manual_seed(4)
    enrolled_W = torch.tensor([0.0, 21.0, 84.0])
    before_B1 = torch.randn(PEOPLE, 1)
    level_BW = torch.sigmoid(before_B1 + gain * (1 - torch.exp(-enrolled_W / 14)))
    share_BW = (level_BW + 0.03 * torch.randn_like(level_BW)).clamp(0.01, 0.99)
    return on_days(share_BW, 1_000 + enrolled_W, enrolled_W)


def fresh(prior: RecoveryPrior = FLAT) -> tuple[RecoveryCurves, nn.Parameter]:
    return RecoveryCurves(64, prior), nn.Parameter(torch.tensor(prior.noise_share).log())


def levels(curves: RecoveryCurves, scores: Scores) -> Tensor:
    own_BWP = level(curves.latent(), scores.onset[..., None])
    return curves.after_enrolment(own_BWP, scores.enrolled[..., None])


def evidence(curves: RecoveryCurves, log_noise: Tensor, scores: Scores) -> float:
    each_BP = score_log_likelihood(levels(curves, scores), scores.share, scores.count, log_noise)
    weight_P = torch.log_softmax(curves.log_weight(), dim=-1)
    return float(torch.logsumexp(each_BP + weight_P, dim=-1).mean().detach())


def part(scores: Scores, *, people: slice = slice(None), columns: slice = slice(None)) -> Scores:
    return Scores(**{name: getattr(scores, name)[people, columns] for name in NAMES})


FIRST, LATER, ODD, EVEN = slice(0, 1), slice(1, None), slice(1, None, 2), slice(0, None, 2)


def fit(scores: Scores, *, published: bool = False) -> tuple[RecoveryCurves, nn.Parameter]:
    prior = shipped_prior("stroke-upper-limb") if published else FLAT
    curves, log_noise = fresh(prior)
    both = part(scores, columns=FIRST).beside(part(scores, columns=LATER))
    if not published:
        fit_population(curves, log_noise, both)
    fit_gain(curves, log_noise, both)
    return curves, log_noise


def error(curves: RecoveryCurves, log_noise: Tensor, scores: Scores) -> float:
    """Return how far the last score is from what the first one lets expect, on average."""
    first = part(scores, columns=FIRST)
    first_BP = score_log_likelihood(levels(curves, first), first.share, first.count, log_noise)
    weight_BP = torch.softmax(first_BP + curves.log_weight(), dim=-1)
    last_BP = levels(curves, part(scores, columns=slice(-1, None)))[:, 0]
    expected_B = (weight_BP * last_BP).sum(dim=-1)
    return float((expected_B - scores.share[:, -1]).abs().mean().detach())


@pytest.mark.parametrize("noise", [0.02, 0.1])
@pytest.mark.parametrize("regained", [0.0, 0.8])
def test_of_others_from_the_same_clinic_it_expects_what_they_regain(
    regained: float, noise: float
) -> None:
    scores = planted(regained, noise)
    fitted, others = fit(part(scores, people=EVEN)), part(scores, people=ODD)
    assert evidence(*fitted, others) > evidence(*fresh(), others)
    assert error(*fitted, others) < 0.6 * error(*fresh(), others)


@given(
    st.lists(st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]), min_size=1, max_size=6),
    st.integers(1, 9),
)
def test_scores_that_are_alike_are_as_likely_together_as_each_by_itself(
    shares: list[float], count: int
) -> None:
    share_BW = torch.tensor([shares, shares[::-1]])
    scores = Scores(
        share=share_BW,
        count=torch.full_like(share_BW, count),
        onset=torch.full_like(share_BW, 30),
        enrolled=torch.full_like(share_BW, 20),
    )
    curves, log_noise = fresh()
    different = Different.among(scores, scores.count > 0)
    level_1P = curves.after_enrolment(
        level(curves.latent(), torch.tensor(30.0)), torch.tensor(20.0)
    )
    level_UP = level_1P.expand(len(different.share), -1)
    nothing_BP = torch.zeros(2, level_UP.shape[-1])
    torch.testing.assert_close(
        different.beside(nothing_BP, level_UP, log_noise),
        score_log_likelihood(level_UP[:1, None], scores.share, scores.count, log_noise),
    )


def test_the_noise_of_exact_scores_is_less_than_that_of_scattered_ones() -> None:
    exact, scattered = (float(fit(planted(0.3, noise))[1].exp().detach()) for noise in (0.02, 0.1))
    assert exact < 0.05 < scattered


def with_gaps(scores: Scores) -> Scores:
    """Return the same with half of them missing, and everybody in it twice."""
    missing_BW = torch.rand_like(scores.count) < 0.5
    known = {name: getattr(scores, name).masked_fill(missing_BW, 0) for name in NAMES}
    return Scores(**{name: torch.cat([x_BW, x_BW]) for name, x_BW in known.items()})


@pytest.mark.parametrize("published", [True, False])
def test_it_is_fitted_to_all_scores_of_everybody(
    published: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores are counted once where they are alike: the likelihood is that of every one."""
    scores = with_gaps(planted(0.5, 0.1))
    assert (scores.enrolled[scores.count > 0] <= 0).any()
    each: list[tuple[RecoveryCurves, nn.Parameter]] = []
    for steps in (0, 3):
        for name in ("STEPS", "STEPS_FROM_PEOPLE"):
            monkeypatch.setattr(fitted_population, name, steps)
        each.append(fit(scores, published=published))
    (plain, noise), (curves, log_noise) = each
    groups = [plain.mean_G3, plain.log_spread_G3, plain.share_logit_G, noise]
    for fitted in ([] if published else [groups]) + [plain.gain_parameters()]:
        start = [parameter.detach().clone() for parameter in fitted]
        adam = torch.optim.Adam(fitted, lr=fitted_population.PACE)
        for _ in range(3):
            adam.zero_grad()
            each_BP = score_log_likelihood(levels(plain, scores), scores.share, scores.count, noise)
            weight_P = torch.log_softmax(plain.log_weight(), dim=-1)
            pull = sum(((p - s) ** 2).sum() for p, s in zip(fitted, start, strict=True))
            likely = torch.logsumexp(each_BP + weight_P, dim=-1).sum()
            loss = fitted_population.PULL * pull - likely
            loss.backward(inputs=fitted)  # type: ignore[no-untyped-call]
            adam.step()
    for ours, theirs in zip(
        [*curves.parameters(), log_noise], [*plain.parameters(), noise], strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("reached", [0.3, 0.6, 1.0])
def test_the_curves_are_where_people_are_whatever_part_of_the_scale_they_reach(
    reached: float,
) -> None:
    """Walking speed has a scale that ends at three times what patients reach."""
    scores = on_part_of(planted(0.3, 0.02), reached)
    curves, _ = fit(part(scores, people=EVEN))
    level_P = levels(curves, part(scores, people=slice(0, 1), columns=slice(-1, None)))[0, 0]
    others_B = scores.share[ODD, -1]
    near_P = (level_P > others_B.min() - 0.05) & (level_P < others_B.max() + 0.05)
    assert near_P.float().mean() > 0.6


def test_without_any_score_nothing_changes() -> None:
    curves, log_noise = fresh()
    nothing = Scores(**dict.fromkeys(NAMES, torch.zeros(5, 2)))
    fit_population(curves, log_noise, nothing.beside(nothing))
    fit_gain(curves, log_noise, nothing.beside(nothing))
    before, noise = fresh()
    assert all(map(torch.equal, curves.parameters(), before.parameters()))
    assert torch.equal(log_noise, noise)


@given(reached=st.lists(st.booleans(), min_size=1, max_size=600), day=st.floats(1, 400))
def test_of_one_yes_or_no_each_nobody_learns_a_course(reached: list[bool], day: float) -> None:
    """All of it was called noise, so that every network kept to the middle (NHANES, mobility)."""
    share_B1 = torch.tensor(reached, dtype=torch.float32)[:, None]
    outcomes = on_days(share_B1, torch.tensor([day]), torch.tensor([day]))
    past = Scores(**dict.fromkeys(NAMES, torch.zeros(len(reached), 5)))
    curves, log_noise = fresh()
    fit_population(curves, log_noise, past.beside(outcomes))
    fit_gain(curves, log_noise, past.beside(outcomes))
    before, noise = fresh()
    assert all(map(torch.equal, curves.parameters(), before.parameters()))
    assert torch.equal(log_noise, noise)


@pytest.mark.parametrize("missing", [0, 1])
def test_it_is_fitted_from_the_fewest_courses_on_that_tell_anything(missing: int) -> None:
    people = part(planted(0.5, 0.1), people=slice(0, FEWEST_COURSES + 5))
    people.count[FEWEST_COURSES - missing :, 1:] = 0
    curves, log_noise = fit(people)
    before, noise = fresh()
    for fitted, start in ((curves.mean_G3, before.mean_G3), (curves.gain_G, before.gain_G)):
        assert torch.equal(fitted, start) == bool(missing)
    assert torch.equal(log_noise, noise) == bool(missing)


@pytest.mark.parametrize("gain", [-0.4, 0.0, 0.6])
def test_what_is_gained_after_enrolment_is_found_long_after_onset(gain: float) -> None:
    scores = long_after(gain)
    curves, log_noise = fit(part(scores, people=EVEN), published=True)
    weight_P = torch.softmax(curves.log_weight(), dim=-1)
    found = float((weight_P * curves.expand_groups(curves.gain_G)).sum().detach())
    assert found == pytest.approx(gain, abs=0.15)
    others, before = part(scores, people=ODD), fresh(shipped_prior("stroke-upper-limb"))
    if gain:
        assert error(curves, log_noise, others) < 0.8 * error(*before, others)


GAIN = {f"encoder.curves.{name}" for name in ("gain_G", "log_gain_spread", "log_gain_days")}


def test_a_published_population_is_where_it_was_published(batch: SequenceBatch, task: Task) -> None:
    """All that was published stays to the last bit; what is gained after enrolment was not."""
    assert task.prior == shipped_prior("stroke-upper-limb")
    network = new_network(batch.layout, task, "hybrid", hidden=8)
    network.encoder.learn(batch)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.learn_start(batch)
    after = network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.replace("head.", "encoder.") for name in changed} == GAIN


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


@pytest.mark.parametrize("log_noise", [-20.0, 5.0])
def test_a_network_can_unlearn_whatever_noise_was_fitted(
    log_noise: float, batch: SequenceBatch, task: Task
) -> None:
    network = new_network(batch.layout, task.model_copy(update={"prior": None}), "hybrid", hidden=8)
    assert isinstance(network.head, HybridHead)
    network.head.start_from(torch.tensor(log_noise))
    modalities, width = len(network.head.absent_MR), len(network.head.stratum_PS)
    embeddings = torch.zeros(1, modalities, width + RESIDUALS + CONTEXT)
    present = torch.ones(1, modalities)
    truth = torch.full((1, len(task.horizons)), 30.0)
    network.head.losses(embeddings, present, truth).sum().backward()  # type: ignore[no-untyped-call]
    gradient = network.head.log_noise_H.grad
    assert gradient is not None
    assert (gradient != 0).all()


def test_a_network_without_a_population_has_nothing_to_fit(
    batch: SequenceBatch, task: Task
) -> None:
    network = new_network(batch.layout, task, "GRU-D", hidden=8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.learn_start(batch)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
