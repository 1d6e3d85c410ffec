from __future__ import annotations

import numpy as np
import pytest

from features.simulate.recovery import arm_level
from features.simulate.scenario import Disparity, Scenario
from features.simulate.subjects import Subjects, draw_subjects
from features.simulate.therapy import PLANS, Therapy
from features.simulate.truth import course_table, latent_table, outcome_table

USUAL, INTENSIVE = list(PLANS).index("usual"), list(PLANS).index("intensive")


def drawn(**changed: object) -> Subjects:
    return draw_subjects(0, 11, Scenario(**changed))  # type: ignore[arg-type]


def test_where_dose_does_nothing_all_plans_have_exactly_the_same_outcome() -> None:
    outcomes = drawn(therapy=Therapy(truth="none"))
    for p in range(len(PLANS)):
        np.testing.assert_array_equal(outcomes.level[:, p], outcomes.level[:, USUAL])
        np.testing.assert_array_equal(outcomes.score[:, p], outcomes.score[:, USUAL])


@pytest.mark.parametrize("truth", ["saturating", "threshold", "timed"])
def test_more_therapy_never_harms_and_the_noise_is_shared(truth: str) -> None:
    outcomes = drawn(therapy=Therapy(truth=truth))  # type: ignore[arg-type]
    order = np.argsort(list(PLANS.values()))
    assert (np.diff(outcomes.level[:, order], axis=1) >= -1e-9).all()
    gain = outcomes.level[:, INTENSIVE] - outcomes.level[:, USUAL]
    assert gain.max() > 1
    # With shared noise a score moves by the level's change, up to rounding, inside the scale.
    before, after = outcomes.score[:, USUAL], outcomes.score[:, INTENSIVE]
    inside = (before > 0) & (after < 66)
    assert np.abs(after - before - gain)[inside].max() <= 1.0
    assert (after >= before).all()


def test_a_threshold_gives_nothing_to_half_the_dose() -> None:
    outcomes = drawn(therapy=Therapy(truth="threshold"))
    half = list(PLANS).index("half")
    assert np.abs(outcomes.level[:, half] - outcomes.level[:, USUAL]).max() < 1.0
    assert (outcomes.level[:, INTENSIVE] - outcomes.level[:, USUAL]).max() > 2.5


def test_the_poor_group_gains_nothing_from_dose() -> None:
    outcomes = drawn()
    gain = (outcomes.level[:, INTENSIVE] - outcomes.level[:, USUAL])[:, 7]
    assert gain[outcomes.group == 0].mean() < 0.5 * gain[outcomes.group == 2].mean()


def test_confounding_ties_plans_to_tolerance() -> None:
    def tie(strength: float) -> float:
        some = drawn(therapy=Therapy(confounding=strength))
        return float(np.corrcoef(some.plan, some.latent[:, 6])[0, 1])

    assert abs(tie(0)) < 0.2
    assert tie(4) > 0.3


def test_changing_one_part_of_a_scenario_leaves_the_other_draws_alone() -> None:
    plain, biased = drawn(), drawn(disparity=Disparity(score_bias=-4.0))
    np.testing.assert_array_equal(plain.latent, biased.latent)
    np.testing.assert_array_equal(plain.worn.hours, biased.worn.hours)
    fm = "REHABCAST//FUGL_MEYER_UE"
    women = biased.member
    assert 80 < women.sum() < 170
    np.testing.assert_array_equal(plain.scores[fm][~women], biased.scores[fm][~women])
    lower = plain.scores[fm][women] - biased.scores[fm][women]
    assert lower.mean() == pytest.approx(3.3, abs=0.5)
    # The truth is kept without the assessor's bias.
    np.testing.assert_array_equal(plain.score, biased.score)


def test_the_tables_hold_the_truth_of_each_subject_once() -> None:
    some = drawn()
    latent, course, outcome = (
        table(some, 501, 40) for table in (latent_table, course_table, outcome_table)
    )
    assert latent["subject_id"].tolist() == list(range(501, 541))
    assert latent["group"].between(1, 5).all()
    assert not latent["planted"].any()
    lived = course[course["subject_id"] == 507]
    usual = arm_level(some.latent[6:7], lived["days_since_onset"].to_numpy(float)[None])
    assert np.abs(lived["arm_level"] - usual[0]).max() <= 4
    assert outcome.groupby("subject_id")["followed"].sum().eq(some.visit_day.shape[1]).all()
    recorded = outcome[outcome["followed"]].groupby("subject_id")["score"].apply(list)
    np.testing.assert_array_equal(
        np.array(recorded.tolist()), some.scores["REHABCAST//FUGL_MEYER_UE"][:40]
    )
