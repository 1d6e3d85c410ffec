"""What a cohort suggests a task from."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME, Cohort, Provenance
from contracts.errors import ContractError, TaskInvalid
from contracts.naming.open_points import OPEN, open_points
from features.cohort import read_cohort, write_cohort
from tests.refusals import refuses
from training.proposals.cohort_facts import age_bands, outcome_windows, task_facts
from training.proposals.task_text import task_text
from training.task import read_task

BERG, BARTHEL, STEPS = "REHABCAST//BERG", "REHABCAST//BARTHEL", "LOINC//41950-7"
AGE, SEX = "REHABCAST//AGE", "REHABCAST//SEX"


def cohort_of(folder: Path, people: int = 14, days: tuple[int, ...] = (0, 15, 41, 86)) -> Cohort:
    rows: list[tuple[int, object, str, float, object]] = []
    for person in range(1, people + 1):
        enrolled = pd.Timestamp("2024-01-10") + pd.Timedelta(days=person)
        rows += [
            (person, enrolled - pd.Timedelta(days=6), ONSET, np.nan, None),
            (person, enrolled, ENROLMENT, np.nan, None),
            (person, pd.NaT, AGE, 50.0 + 2 * person, None),
            (person, pd.NaT, SEX, np.nan, "female" if person % 2 else "male"),
        ]
        for place, day in enumerate(days):
            when = enrolled + pd.Timedelta(days=day + person % 3)
            rows.append((person, when, BERG, float(10 + 5 * place), None))
            if place < 2 and person < 12:
                rows.append((person, when, BARTHEL, 50.0, None))
        rows.append((person, enrolled + pd.Timedelta(days=1), STEPS, 3000.0, None))
    events = pd.DataFrame(rows, columns=[SUBJECT, TIME, CODE, NUMBER, TEXT])
    labels = {person: str(person) for person in range(1, people + 1)}
    provenance = Provenance(name="ward", source="a test", simulated=True, details={}, rules=())
    write_cohort(events, provenance, folder, labels=labels)
    return read_cohort(folder)


def test_the_instrument_with_most_outcomes_is_the_target_and_its_days_are_the_horizons(
    tmp_path: Path,
) -> None:
    facts = task_facts(cohort_of(tmp_path / "cohort"))
    assert (facts.target.code, facts.chosen) == (BERG, False)
    assert [other.code for other in facts.others] == [BARTHEL]
    assert [window.weeks for window in facts.windows] == [2, 6, 12]
    assert facts.origins_days == (0, 14)
    assert facts.sensitive == (SEX, AGE)
    assert facts.lacking == ("REHABCAST//ETHNICITY",)
    assert facts.assessments[0] == BERG
    assert facts.daily == (STEPS,)


def test_a_person_names_another_target(tmp_path: Path) -> None:
    facts = task_facts(cohort_of(tmp_path / "cohort"), BARTHEL)
    assert (facts.target.code, facts.chosen) == (BARTHEL, True)
    with refuses(ContractError):
        task_facts(cohort_of(tmp_path / "again"), "REHABCAST//ARAT")


def test_too_few_people_or_no_later_visit_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    with refuses(ContractError):
        task_facts(cohort_of(tmp_path / "few", people=10))
    with refuses(ContractError):
        task_facts(cohort_of(tmp_path / "once", days=(0,)))


def decided(text: str) -> str:
    """Decide every point of a proposed task, as a person would."""
    answers = {
        "condition": '"loss of balance"', "minimal_important_difference": "4",
        "gain_at_least": "4", "source": '"made up for a test"', "reason": '"as everywhere"',
    }  # fmt: skip
    lines = [line for line in text.splitlines() if not line.startswith("confirm = true")]
    for place, line in enumerate(lines):
        key = line.partition(" =")[0]
        if f'= "{OPEN}"' in line:
            lines[place] = f"{key} = {answers[key]}"
    return "\n".join(lines)


def test_a_proposed_task_is_refused_with_every_open_point_and_sound_once_they_are_decided(
    tmp_path: Path,
) -> None:
    facts = task_facts(cohort_of(tmp_path / "cohort"))
    file = tmp_path / "task.toml"
    file.write_text(task_text(facts, (60, 70), file.name), "utf-8")
    with pytest.raises(TaskInvalid) as refused:
        read_task(file)
    assert refused.value.problems is not None
    points = open_points(tomllib.loads(file.read_text("utf-8")))
    assert len(refused.value.problems) == len(points) > 10
    file.write_text(decided(file.read_text("utf-8")), "utf-8")
    task = read_task(file)
    assert task.target.code == BERG
    assert [horizon.weeks for horizon in task.horizons] == [2, 6, 12]


@settings(max_examples=200, deadline=None)
@given(days=st.lists(st.tuples(st.integers(1, 30), st.integers(-5, 400)), min_size=1, max_size=300))
def test_windows_are_apart_hold_their_week_and_eleven_people(days: list[tuple[int, int]]) -> None:
    table = pd.DataFrame(days, columns=[SUBJECT, "day"])
    windows = outcome_windows(table)
    for window in windows:
        assert window.days[0] <= 7 * window.weeks < window.days[1]
        inside = table[(table["day"] >= window.days[0]) & (table["day"] < window.days[1])]
        assert inside[SUBJECT].nunique() == window.people >= 11
    assert all(a.days[1] <= b.days[0] for a, b in pairwise(windows))


@given(ages=st.lists(st.floats(18, 100), min_size=11, max_size=60))
def test_an_age_band_has_people_on_both_sides(ages: list[float]) -> None:
    for edge in age_bands(np.array(ages)):
        assert min(ages) < edge <= max(ages)
