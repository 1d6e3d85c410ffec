"""Simulated tumours, their twins and how these are scored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import wasserstein_distance
from twin import LEARNED, PUBLISHED, Size, judged, measured

from support.tumour import (
    CAPACITY,
    DAYS,
    NOISE,
    Patients,
    ahead,
    draw_patients,
    next_volume,
    training_courses,
)
from support.tumour_bayes import BayesTwin, true_priors
from support.tumour_crn import Recurrent, train
from support.tumour_scores import half_spread, nrmse, twin_forecasts, wasserstein
from support.tumour_tests import STEPS, Question, Rule, asked
from support.tumour_twins import (
    LOGISTIC,
    NO_HALF_LIFE,
    RIGHT,
    LearnedTwin,
    Mechanism,
    evidence,
    learn,
    learn_form,
    posterior,
)

ONE = Patients(*(np.array([x]) for x in (0.001, 0.03, 0.05)), np.array([2]), np.array([100.0]))


def test_a_day_is_that_by_hand() -> None:
    """Growth .001 ln(14137 / 100) = .00495, chemotherapy .03 x 5, radiotherapy .05 x 2.4."""
    grown = next_volume(ONE, np.array([100.0]), np.array([5.0]), np.array([3]), np.array([0.01]))
    assert pytest.approx(14137, abs=1) == CAPACITY
    assert grown[0] == pytest.approx(100 * (1 + 0.00495 - 0.15 - 0.12 + 0.01), abs=1e-3)


def test_chemotherapy_is_halved_every_day() -> None:
    doses = RIGHT.doses(np.array([[1, 0, 2, 3]]))
    np.testing.assert_allclose(doses, [[5, 2.5, 1.25, 5.625]])
    np.testing.assert_allclose(NO_HALF_LIFE.doses(np.array([[1, 0, 3]])), [[5, 0, 5]])


def test_what_was_done_leads_to_what_came_and_options_share_its_noise() -> None:
    rng = np.random.default_rng(0)
    people = draw_patients(30, rng)
    test = asked(Question.ONE_STEP, Rule.OWN, people, 2, rng)
    courses = test.courses
    for day in (0, 5, 20):
        real = test.truth_PTOH[np.arange(30), day, courses.action_PT[:, day], 0]
        stays = np.isfinite(courses.volume_PT[:, day + 1])
        np.testing.assert_allclose(real[stays], courses.volume_PT[stays, day + 1])
    once = ahead(people, courses, 3, np.zeros((30, 2, STEPS), dtype=np.int64))
    np.testing.assert_array_equal(once[:, 0], once[:, 1])


def test_the_stronger_the_confounding_the_more_follows_the_tumour() -> None:
    people = draw_patients(400, np.random.default_rng(1))
    shares = []
    for gamma in (0, 4):
        courses = training_courses(people, gamma, np.random.default_rng(2))
        treated = courses.action_PT[:, 1:20] > 0
        large = courses.volume_PT[:, :1] > 300
        shares.append((treated[large[:, 0]].mean(), treated[people.start_P < 10].mean()))
        assert not courses.action_PT[:, 0].any()
    assert shares[0][0] == pytest.approx(0.75, abs=0.05)
    assert shares[0][1] == pytest.approx(0.75, abs=0.05)
    assert shares[1][0] > 0.6 > 0.3 > shares[1][1]


def test_by_the_released_rule_treatments_do_not_follow_the_own_tumour() -> None:
    people = draw_patients(300, np.random.default_rng(3))
    tied = []
    for rule in Rule:
        test = asked(Question.SLIDING, rule, people, 4, np.random.default_rng(4))
        treated = (test.courses.action_PT[:, :10] > 0).mean(axis=1)
        tied.append(np.corrcoef(treated, np.cbrt(people.start_P))[0, 1])
    assert tied[0] > 0.6
    assert abs(tied[1]) < 0.25


def test_a_sequence_begins_with_what_was_done_and_has_one_treatment() -> None:
    rng = np.random.default_rng(5)
    test = asked(Question.SLIDING, Rule.OWN, draw_patients(5, rng), 1, rng)
    assert test.action_PTOH.shape == (5, DAYS - 1, 10, STEPS)
    assert (test.action_PTOH[..., 0] == test.courses.action_PT[:, :-1, None]).all()
    later = test.action_PTOH[0, 0, :, 1:]
    assert sorted(later.sum(axis=1)) == [1] * 5 + [2] * 5
    assert ((later > 0).sum(axis=1) == 1).all()


def test_bayes_draws_are_those_of_the_normal_posterior_cut_off_at_its_ends() -> None:
    """Against throwing away all draws of the posterior that are below: three patients' means."""
    rng = np.random.default_rng(6)
    people = draw_patients(40, rng)
    courses = training_courses(people, 1, rng)
    twin = BayesTwin()
    twin.prepare(people, courses)
    draws = [twin.rates(2, np.random.default_rng(seed), 64) for seed in range(60)]
    mean = np.mean([(rate * weight[..., None]).sum(axis=1) for rate, weight in draws], axis=0)
    sums = evidence(RIGHT, courses)
    prior = true_priors()
    for person in np.flatnonzero(people.type_P == 2)[:3]:
        one = slice(person, person + 1)
        centre, spread = posterior(prior[2], sums.square_FF[one, 2], sums.cross_F[one, 2], NOISE**2)
        drawn = rng.multivariate_normal(centre[0], spread[0], 200_000)
        kept = drawn[(drawn[:, 0] > 0) & (drawn[:, 2] > 0)]
        error = 4 * kept.std(axis=0) / np.sqrt(min(len(kept), 4_000))
        assert (np.abs(kept.mean(axis=0) - mean[person]) < error).all()


def test_the_right_mechanism_comes_near_the_best_and_wrong_ones_do_not() -> None:
    rng = np.random.default_rng(7)
    people = draw_patients(1_500, rng)
    courses = training_courses(people, 4, rng)
    learned = {m.name: learn(m, people, courses) for m in (RIGHT, LOGISTIC, NO_HALF_LIFE)}
    assert learned[RIGHT.name].noise == pytest.approx(NOISE, rel=0.02)
    assert learned[NO_HALF_LIFE.name].noise > 2 * NOISE
    test = asked(Question.ONE_STEP, Rule.OWN, draw_patients(150, rng), 4, rng)
    twins = [LearnedTwin(m, learned[m.name]) for m in (RIGHT, NO_HALF_LIFE)]
    error = [
        nrmse(twin_forecasts(twin, test, np.random.default_rng(0)), test.truth_PTOH)[0]
        for twin in (BayesTwin(), *twins)
    ]
    assert error[1] < 1.1 * error[0]
    assert error[2] > 1.02 * error[0]


def test_the_form_of_growth_is_found_by_what_surprises_least() -> None:
    rng = np.random.default_rng(11)
    people = draw_patients(200, rng)
    assert learn_form(people, training_courses(people, 2, rng)).power <= 0.06
    volume = np.geomspace(1e-6, CAPACITY, 9)
    forms = [Mechanism("any", power=power).growth(volume) for power in (1.0, 1e-7, 0.0)]
    np.testing.assert_allclose(forms[0], 1 - volume / CAPACITY)
    np.testing.assert_allclose(forms[1], forms[2], rtol=1e-5, atol=1e-9)


def test_distances_of_draws_are_those_of_their_definitions() -> None:
    rng = np.random.default_rng(8)
    one, other = rng.normal(size=(3, 6)), rng.normal(size=(3, 4))
    weight, even = rng.dirichlet(np.ones(6), 3), np.full((3, 4), 0.25)
    expected = [wasserstein_distance(*row) for row in zip(one, other, weight, even, strict=True)]
    np.testing.assert_allclose(wasserstein(one, weight, other, even), expected)
    apart = np.abs(one[:, :, None] - one[:, None])
    np.testing.assert_allclose(
        half_spread(one, weight), np.einsum("rs,rst,rt->r", weight, apart, weight) / 2
    )


def test_the_network_learns_and_turns_the_gradient_of_treatments_round() -> None:
    torch.manual_seed(0)
    network = Recurrent()
    seen = torch.ones(4, 3, dtype=torch.bool)
    action = torch.randint(0, 4, (4, 3))
    gradient = []
    for by in (0.0, 1.0, 2.0):
        represented = torch.randn(4, 3, 24, generator=torch.Generator().manual_seed(1))
        represented.requires_grad_()
        loss = network.loss(represented, action, torch.zeros(4, 3), seen, by)
        gradient.append(torch.autograd.grad(loss, represented)[0])
    torch.testing.assert_close(gradient[2] - gradient[0], 2 * (gradient[1] - gradient[0]))
    guess = network.treatment(represented)
    plain = torch.autograd.grad(
        torch.nn.functional.cross_entropy(guess[seen], action[seen]), represented
    )[0]
    torch.testing.assert_close(gradient[1] - gradient[0], -plain)


def test_targets_are_judged_by_means_over_sets() -> None:
    """The right mechanism at 1.05 and 1.25 of Bayes: 1.15 on the whole, though half of it met it."""
    rows = [
        {"rule": rule, "question": question, "gamma": 4, "model": model, "last": value}
        for rule in Rule
        for question in Question
        for model, values in {
            BayesTwin().name: (1.0, 1.0), RIGHT.name: (1.05, 1.25), LOGISTIC.name: (1.4, 1.4),
            NO_HALF_LIFE.name: (1.4, 1.5), LEARNED: (1.1, 1.2),
        }.items()
        for value in values
    ]  # fmt: skip
    said = judged(pd.DataFrame(rows))
    assert said["right mechanism over Bayes, worst"] == 1.15
    assert said["within 10 % of Bayes"] is False
    assert [met for name, met in said.items() if "1.436" in name] == [True, True, True, False]


@pytest.mark.soak
def test_a_small_run_has_every_row_and_says_what_was_met() -> None:
    size = Size(training=300, testing=20, sets=1, crn_patients=60, crn_epochs=1)
    found = measured(size, (4,))
    assert len(found) == 2 * 3 * 6
    assert found[["first", "last"]].notna().all(axis=None)
    said = judged(found)
    assert said["within 10 % of Bayes"] == (said["right mechanism over Bayes, worst"] <= 1.1)
    assert min(row[4] for row in PUBLISHED[Question.SLIDING].values()) == 1.436
    assert len([name for name in said if "1.436" in name]) == 4


def test_a_trained_network_forecasts_better_than_one_that_saw_nothing() -> None:
    rng = np.random.default_rng(9)
    people = draw_patients(128, rng)
    courses = training_courses(people, 0, rng)
    test = asked(Question.SLIDING, Rule.OWN, draw_patients(20, rng), 0, rng)
    error = [
        nrmse(train(people, courses, epochs, seed=0).forecasts(test), test.truth_PTOH)[-1]
        for epochs in (0, 4)
    ]
    assert error[1] < 0.8 * error[0]
