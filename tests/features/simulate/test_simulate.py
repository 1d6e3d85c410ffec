from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from features.checks import check_events
from features.simulate import simulate
from features.simulate.channels import CHANNELS, NULL_CHANNELS, STEPS, WALKING_CHANNELS

SCORE = "REHABCAST//FUGL_MEYER_UE"


@pytest.fixture(scope="module")
def simulated() -> pd.DataFrame:
    return simulate(subjects=300, seed=4)[0]


def test_the_same_seed_gives_the_same_cohort_and_says_that_it_is_simulated(
    simulated: pd.DataFrame,
) -> None:
    again, provenance = simulate(subjects=300, seed=4)
    pd.testing.assert_frame_equal(simulated, again)
    assert provenance.simulated
    assert "seed 4" in provenance.source
    assert not simulated.equals(simulate(subjects=300, seed=5)[0])


def test_a_subject_is_the_same_whatever_the_size_of_the_cohort(simulated: pd.DataFrame) -> None:
    fewer = simulate(subjects=260, seed=4)[0]
    pd.testing.assert_frame_equal(fewer, simulated[simulated[SUBJECT] <= 260])


def test_a_simulated_cohort_keeps_the_contract(simulated: pd.DataFrame) -> None:
    assert check_events(simulated, file="simulated") == []


def test_everybody_is_enrolled_in_the_first_week(simulated: pd.DataFrame) -> None:
    dates = simulated[simulated[CODE].isin([ONSET, ENROLMENT])].pivot(
        index=SUBJECT, columns=CODE, values=TIME
    )
    assert len(dates) == 300
    assert (dates[ENROLMENT] - dates[ONSET]).dt.days.between(2, 5).all()


def test_channels_have_values_on_valid_days_only_and_walking_ones_on_days_of_walking(
    simulated: pd.DataFrame,
) -> None:
    wear = simulated[simulated[CODE] == "REHABCAST//WEAR_TIME"]
    valid = set(map(tuple, wear.loc[wear[NUMBER] >= 10, [SUBJECT, TIME]].to_numpy()))
    for channel in CHANNELS:
        days = simulated.loc[simulated[CODE] == channel.code, [SUBJECT, TIME]]
        measured = set(map(tuple, days.to_numpy()))
        assert measured < valid if channel.code in WALKING_CHANNELS else measured == valid


def test_steps_tell_recovery_and_the_null_channel_does_not(simulated: pd.DataFrame) -> None:
    last = simulated[simulated[CODE] == SCORE].groupby(SUBJECT)[NUMBER].last()
    means = {
        code: simulated[simulated[CODE] == code].groupby(SUBJECT)[NUMBER].mean()
        for code in (STEPS.code, *NULL_CHANNELS)
    }
    assert means[STEPS.code].corr(last, method="spearman") > 0.4
    for code in NULL_CHANNELS:
        assert abs(means[code].corr(last, method="spearman")) < 3 / np.sqrt(len(means[code]))


def test_worn_days_become_fewer_with_time(simulated: pd.DataFrame) -> None:
    enrolled = simulated[simulated[CODE] == ENROLMENT].set_index(SUBJECT)[TIME]
    wear = simulated[(simulated[CODE] == "REHABCAST//WEAR_TIME") & (simulated[NUMBER] >= 10)]
    week = (wear[TIME] - wear[SUBJECT].map(enrolled)).dt.days // 7
    worn = week.value_counts()
    assert worn[1] > 1.05 * worn[12] > 1.05 * worn[24]


def test_facts_are_missing_of_some_and_never_empty(simulated: pd.DataFrame) -> None:
    of = {code: rows for code, rows in simulated.groupby(CODE)}
    assert len(of["REHABCAST//SEX"]) == 300
    assert 240 < len(of["REHABCAST//INCOME"]) < 300
    assert set(of["REHABCAST//INCOME"][TEXT]) == {"low", "middle", "high"}
