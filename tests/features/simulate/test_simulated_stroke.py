from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TIME
from features.checks import check_events
from features.simulate import simulate
from features.simulate.recovery import RecoveryParameters, draw_course

SCORE = "REHABCAST//FUGL_MEYER_UE"


@pytest.fixture(scope="module")
def simulated() -> pd.DataFrame:
    return simulate(subjects=120, seed=4)[0]


def test_the_same_seed_gives_the_same_cohort_and_says_that_it_is_simulated(
    simulated: pd.DataFrame,
) -> None:
    again, provenance = simulate(subjects=120, seed=4)
    pd.testing.assert_frame_equal(simulated, again)
    assert provenance.simulated
    assert "seed 4" in provenance.source
    assert not simulated.equals(simulate(subjects=120, seed=5)[0])


def test_a_subject_is_the_same_whatever_the_size_of_the_cohort(simulated: pd.DataFrame) -> None:
    fewer = simulate(subjects=10, seed=4)[0]
    pd.testing.assert_frame_equal(fewer, simulated[simulated[SUBJECT] <= 10])


def test_a_simulated_cohort_keeps_the_contract(simulated: pd.DataFrame) -> None:
    assert check_events(simulated, file="simulated") == []


def test_latent_courses_follow_the_published_mixture() -> None:
    """Without variation between patients, against the table computed from the published code."""
    published = RecoveryParameters(rate_spread=0.0, tau_spread=0.0)
    generator = np.random.default_rng(0)
    courses = [draw_course(generator, published) for _ in range(4_000)]
    level = {
        week: np.array([c.level(np.array([7 * week]))[0] for c in courses]) for week in (0, 1, 26)
    }
    groups = np.bincount([course.group for course in courses]) / len(courses)
    np.testing.assert_allclose(groups, published.share, atol=0.03)
    # The published means, 18.6 and 27.1 points at weeks 0 and 1 and 43.8 (SD 23.3) at week 26, are
    # of noisy scores clipped at 66, which moves them by less than a point.
    standard_error = 23 / np.sqrt(len(courses))
    for week, mean in ((0, 18.6), (1, 27.1), (26, 43.8)):
        assert level[week].mean() == pytest.approx(mean, abs=3 * standard_error + 1)
    assert level[26].std() == pytest.approx(23.3, abs=1.0)


def test_a_course_rises_toward_its_ceiling_and_never_leaves_the_scale() -> None:
    generator = np.random.default_rng(1)
    days = np.arange(0, 400)
    for _ in range(200):
        level = draw_course(generator, RecoveryParameters()).level(days)
        assert (np.diff(level) >= 0).all()
        assert level.min() >= 0
        assert level.max() <= 66


def test_unworn_days_have_no_values_and_worn_share_is_as_reported(simulated: pd.DataFrame) -> None:
    wear = simulated[simulated[CODE] == "REHABCAST//WEAR_TIME"]
    steps = simulated[simulated[CODE] == "LOINC//41950-7"]
    worn = wear[wear[NUMBER] > 0]
    assert len(worn) == len(steps)
    assert set(zip(worn[SUBJECT], worn[TIME], strict=True)) == set(
        zip(steps[SUBJECT], steps[TIME], strict=True)
    )
    # About 78 % of days valid (Fitbit after stroke, see the research notes).
    assert len(worn) / len(wear) == pytest.approx(0.78, abs=0.08)


def test_steps_tell_recovery_and_sleep_does_not(simulated: pd.DataFrame) -> None:
    last = simulated[simulated[CODE] == SCORE].groupby(SUBJECT)[NUMBER].last()
    means = {
        code: simulated[simulated[CODE] == code].groupby(SUBJECT)[NUMBER].mean()
        for code in ("LOINC//41950-7", "REHABCAST//SLEEP")
    }
    assert means["LOINC//41950-7"].corr(last) > 0.6
    assert abs(means["REHABCAST//SLEEP"].corr(last)) < 0.3


def test_everybody_is_enrolled_in_the_first_three_weeks(simulated: pd.DataFrame) -> None:
    dates = simulated[simulated[CODE].isin([ONSET, ENROLMENT])].pivot(
        index=SUBJECT, columns=CODE, values=TIME
    )
    days = (dates[ENROLMENT] - dates[ONSET]).dt.days
    assert len(days) == 120
    assert days.between(5, 21).all()
