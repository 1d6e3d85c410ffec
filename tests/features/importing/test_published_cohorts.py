"""Whole published cohorts through an import, from the real files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME, WEAR_TIME
from contracts.task import Horizon, Inputs, Sensitive, Target, Task
from features.importing import Imported, format_names, import_source
from features.sequences import training_sequences

STEPS = "LOINC//41950-7"


COHORTS = {
    "depresjon": ("depresjon", 55),
    "welltory_covid_hrv": ("welltory", 185),
    "lifesnaps": ("lifesnaps", 71),
    "nhanes_2003_06": ("nhanes-minutes", 218),
    "stroke_specs": ("stroke-specs", 167),
}


TARGETS = {
    "depresjon": ("REHABCAST//MADRS", (WEAR_TIME, "REHABCAST//ACTIVITY_COUNTS")),
    "welltory_covid_hrv": ("REHABCAST//SYMPTOM_RELIEF", (STEPS, "REHABCAST//RMSSD")),
    "lifesnaps": ("REHABCAST//STAI_CALM", (STEPS, "LOINC//40443-4", "REHABCAST//RMSSD")),
}


NHANES = "nhanes_2003_06"
FIRST_PEOPLE = 30
"""Of the cohort whose minutes take longest."""


def first_people(source: Path, copy: Path) -> Path:
    """Return a copy of the minutes of its first people, and of everybody's facts."""
    shutil.copytree(source, copy)
    for file in copy.glob("*.parquet"):
        rows = pd.read_parquet(file)
        rows[rows["SEQN"].isin(rows["SEQN"].unique()[:FIRST_PEOPLE])].to_parquet(file)
    return copy


@pytest.fixture(scope="module")
def imported(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Imported]:
    folder = tmp_path_factory.mktemp("cohorts")
    sources = {name: shared / name for name in COHORTS if name != "stroke_specs"}
    sources[NHANES] = first_people(shared / NHANES, folder / "first people")
    return {name: import_source(source, folder / name) for name, source in sources.items()}


def test_every_real_cohort_is_recognised_by_its_content(shared: Path, tmp_path: Path) -> None:
    from features.importing import _cohort_format

    for name, (format_name, _) in COHORTS.items():
        copy = tmp_path / "anything"
        shutil.copytree(shared / name, copy)
        assert _cohort_format(copy) == format_name
        assert format_name in format_names()
        shutil.rmtree(copy)


def test_the_wearable_cohorts_are_whole(imported: dict[str, Imported]) -> None:
    for name, done in imported.items():
        people = FIRST_PEOPLE if name == NHANES else COHORTS[name][1]
        assert done.cohort.events[SUBJECT].nunique() == people, name
        assert done.unreadable == ()


def test_depresjon_keeps_its_days_scores_and_five_clock_changes(
    imported: dict[str, Imported],
) -> None:
    events = imported["depresjon"].cohort.events
    changes = events[events[CODE] == "REHABCAST//CLOCK_CHANGE"]
    assert len(changes) == 5
    assert set(changes[TIME].dt.strftime("%Y-%m-%d")) == {"2003-03-30"}
    scores = events[events[CODE] == "REHABCAST//MADRS"]
    assert len(scores) == 46
    days = events[events[CODE] == WEAR_TIME]
    assert len(days) == 693
    short = days[days[TIME] == pd.Timestamp("2003-03-30")]
    assert short[NUMBER].max() <= 23


def wear_is_that_of_the_flags(events: pd.DataFrame, source: Path, people: int) -> None:
    flags = pd.read_parquet(source / "wear_flags_218x7d.parquet")
    flags = flags[flags["SEQN"].isin(flags["SEQN"].unique()[:people])]
    hours = flags.drop(columns=["SEQN", "daylabel"]).sum(axis=1) / 60
    wear = events[events[CODE] == WEAR_TIME].sort_values([SUBJECT, TIME])
    expected = hours.to_numpy()[np.lexsort((flags["daylabel"], flags["SEQN"]))]
    np.testing.assert_allclose(wear[NUMBER], expected, rtol=1e-6)


def test_nhanes_wear_is_that_of_its_flags(imported: dict[str, Imported], shared: Path) -> None:
    wear_is_that_of_the_flags(imported[NHANES].cohort.events, shared / NHANES, FIRST_PEOPLE)


@pytest.mark.soak
def test_all_of_nhanes_is_whole(shared: Path, tmp_path: Path) -> None:
    done = import_source(shared / NHANES, tmp_path / "cohort")
    people = COHORTS[NHANES][1]
    assert (done.cohort.events[SUBJECT].nunique(), done.unreadable) == (people, ())
    wear_is_that_of_the_flags(done.cohort.events, shared / NHANES, people)


def test_welltory_days_before_the_first_symptoms_are_counted_out(
    imported: dict[str, Imported],
) -> None:
    done = imported["welltory_covid_hrv"]
    early = [problem for problem in done.dropped if problem.cause == "values before the onset"]
    assert sum(problem.count for problem in early) > 100
    events = done.cohort.events
    assert len(events[events[CODE] == "REHABCAST//SYMPTOM_RELIEF"]) > 150


@pytest.mark.parametrize("name", TARGETS)
def test_the_wearable_cohorts_give_sequences(imported: dict[str, Imported], name: str) -> None:
    code, channels = TARGETS[name]
    task = Task(
        name="real",
        condition="real",
        target=Target(code=code, low=0, high=100, minimal_important_difference=1, source="test"),
        horizons=(Horizon(weeks=6, window_days=(5, 60)),),
        origins_days=(0, 3, 30),
        primary_horizon_weeks=6,
        early_days=1000,
        milestones=(),
        inputs=Inputs(
            past_days=14, assessments=(code,), daily=channels, person=("REHABCAST//SEX",)
        ),
        sensitive=(Sensitive(name="sex", code="REHABCAST//SEX", reason="test"),),
    )
    batch = training_sequences(imported[name].cohort.events, task)
    assert len(batch) >= 10
    assert batch.layout.channels_C[0] == code
    assert batch.observed_BTC[:, :, 1:].any()
    assert set(batch.groups_B["sex"]) <= {"female", "male", "not recorded"}


def test_everybody_has_one_onset_and_enrolment(imported: dict[str, Imported]) -> None:
    for done in imported.values():
        events = done.cohort.events
        for code in (ONSET, ENROLMENT):
            assert (events[events[CODE] == code].groupby(SUBJECT).size() == 1).all()
        assert events.loc[events[CODE] == "REHABCAST//SEX", TEXT].isin(["female", "male"]).all()
