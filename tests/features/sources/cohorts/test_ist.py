from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME, Cohort
from contracts.errors import ContractError
from features.checks import check_events
from features.importing import import_source
from features.sequences import training_sequences
from features.sources.cohorts.ist import NEEDED, import_ist, matches
from training.task import read_task

ROOT = Path(__file__).resolve().parents[4]
REAL = ROOT.parent / "shared" / "data" / "ist_stroke_trial"
TASK = ROOT / "tasks" / "stroke-independence.toml"


def person(**changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(NEEDED, "N")
    row |= {
        "HOSPNUM": 12, "COUNTRY": "SWED", "RDELAY": 26, "RCONSC": "F", "SEX": "F", "AGE": 71,
        "RSBP": 160, "STYPE": "LACS", "RCT": "Y", "OCCODE": 4, "RXASP": "Y", "RXHEP": "L",
        "EXPDD": 0.4,
    }  # fmt: skip
    return row | changed


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    pd.DataFrame(rows).to_csv(folder / "trial.csv", index=False)
    return folder


def imported(folder: Path, *rows: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, int]]:
    events, provenance = import_ist(written(folder, *rows))
    assert not check_events(events, file="test", dates_shifted=provenance.dates_shifted)
    return events, {rule.rule: rule.rows for rule in provenance.rules}


def value(events: pd.DataFrame, subject: int, code: str, column: str = NUMBER) -> Any:
    rows = events[(events[SUBJECT] == subject) & (events[CODE] == code)]
    assert len(rows) <= 1
    return rows[column].iloc[0] if len(rows) else None


def test_a_person_is_the_row_of_a_spreadsheet_and_all_that_was_known_at_randomisation(
    tmp_path: Path,
) -> None:
    events, rules = imported(tmp_path, person(RDEF4="C", RVISINF="Y"))
    assert set(events[SUBJECT]) == {2}
    assert value(events, 2, "REHABCAST//AGE") == 71
    assert value(events, 2, "REHABCAST//SEX", TEXT) == "female"
    assert value(events, 2, "REHABCAST//COUNTRY", TEXT) == "Sweden"
    assert value(events, 2, "REHABCAST//SITE", TEXT) == "Sweden 12"
    assert value(events, 2, "REHABCAST//STROKE_SYNDROME", TEXT) == "lacunar"
    assert value(events, 2, "REHABCAST//DYSPHASIA", TEXT) == "not assessable"
    assert value(events, 2, "REHABCAST//INFARCT_VISIBLE", TEXT) == "yes"
    assert value(events, 2, "REHABCAST//TREATMENT", TEXT) == "aspirin Y, heparin L"
    assert value(events, 2, "REHABCAST//CONSCIOUSNESS") == 2
    onset, enrolled = (value(events, 2, code, TIME) for code in (ONSET, ENROLMENT))
    assert enrolled - onset == pd.Timedelta(hours=26)
    assert value(events, 2, "REHABCAST//SYSTOLIC_PRESSURE", TIME) == enrolled
    seen = value(events, 2, "REHABCAST//STROKE_OUTCOME", TIME)
    assert (seen - enrolled).days == 182
    assert list(rules.values()) == [1]


@pytest.mark.parametrize(
    ("code", "rank"),
    [
        (1, 0), (2, 1), (3, 2), (4, 3), ("1.0", 0), (" 4 ", 3), (0, None), (9, None), ("", None),
        (7, None), ("dead", None), ("NA", None),
    ],
)  # fmt: skip
def test_the_outcome_is_a_rank_and_an_unknown_one_is_none(
    tmp_path: Path, code: Any, rank: int | None
) -> None:
    events, rules = imported(tmp_path, person(OCCODE=code), person())
    assert value(events, 2, "REHABCAST//STROKE_OUTCOME") == rank
    # What is lost is told apart from what is none of the trial's codes.
    lost = rules.get("outcome at six months not known: due and lost", 0)
    odd = rules.get("OCCODE: none of the trial's codes, left out", 0)
    assert (lost, odd) == (int(code in (0, 9, "")), int(code in (7, "dead", "NA")))


def test_hospitals_of_one_number_in_two_countries_are_two_hospitals(tmp_path: Path) -> None:
    rows = (person(), person(COUNTRY="UK"), person(COUNTRY="XX"), person(COUNTRY=""))
    events, _ = imported(tmp_path, *rows)
    sites = [value(events, subject, "REHABCAST//SITE", TEXT) for subject in (2, 3, 4, 5)]
    assert sites == ["Sweden 12", "United Kingdom 12", "XX 12", "12"]
    assert value(events, 4, "REHABCAST//COUNTRY", TEXT) == "XX"
    assert value(events, 5, "REHABCAST//COUNTRY", TEXT) is None


def test_what_cannot_be_is_left_out_and_told(tmp_path: Path) -> None:
    events, rules = imported(
        tmp_path,
        person(AGE=16),
        person(AGE=300, RSBP=5, RDELAY=-1, SEX="X", RCONSC="?", RCT="N", RVISINF="N"),
        person(AGE="", RSBP="", RDELAY="", SEX="", RCONSC="", HOSPNUM="", RXASP=""),
    )
    assert set(events[SUBJECT]) == {3, 4}
    for subject in (3, 4):
        for code in ("AGE", "SEX", "CONSCIOUSNESS", "SYSTOLIC_PRESSURE", "ONSET_DELAY"):
            assert value(events, subject, f"REHABCAST//{code}") is None
    assert value(events, 3, "REHABCAST//INFARCT_VISIBLE", TEXT) is None
    assert value(events, 4, "REHABCAST//SITE", TEXT) is None
    assert rules == {
        "under 18 years old: the person was left out": 1,
        "no scan before randomisation: visible infarct not recorded": 1,
        "AGE: no number of the possible ones, left out": 1,
        "RSBP: no number of the possible ones, left out": 1,
        "RDELAY: no number of the possible ones, left out": 1,
        "no hours from onset to enrolment: enrolled at onset": 2,
        "SEX: none of the trial's letters, left out": 1,
        "RCONSC: none of the trial's letters, left out": 1,
        "outcome of about six months placed on day 182, of the dead too": 2,
    }


cells = st.sampled_from(["", "Y", "N", "C", "M", "F", "D", "0", "1", "4.0", "17", "99", "?", "UK"])


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(NEEDED, cells)), min_size=1, max_size=6))
def test_whatever_is_in_the_cells_becomes_a_sound_cohort(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    events, _ = imported(tmp_path, *rows)
    outcomes = events[events[CODE] == "REHABCAST//STROKE_OUTCOME"]
    codes = pd.to_numeric(pd.Series([row["OCCODE"] for row in rows]), errors="coerce")
    known = codes.isin([1, 2, 3, 4]) & ~(
        pd.to_numeric(pd.Series([row["AGE"] for row in rows]), errors="coerce") < 18
    )
    assert set(outcomes[SUBJECT]) == {int(row) + 2 for row in np.flatnonzero(known)}


def test_another_table_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("AGE,SEX\n71,F\n")
    assert not matches(tmp_path)
    with pytest.raises(ContractError, match="0 tables have the columns"):
        import_ist(tmp_path)
    written(tmp_path, person())
    assert matches(tmp_path)
    second = gzip.compress((tmp_path / "trial.csv").read_bytes())
    (tmp_path / "again.csv.gz").write_bytes(second)
    with pytest.raises(ContractError, match="2 tables have the columns"):
        import_ist(tmp_path)


def test_somebody_with_nothing_but_a_baseline_can_be_forecast(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "cohort"
    source.mkdir()
    written(
        source, *(person(AGE=age, OCCODE=1 + age % 4) for age in range(50, 90)), person(OCCODE=0)
    )
    cohort = import_source(source, folder).cohort
    assert isinstance(cohort, Cohort)
    task = read_task(TASK)
    batch = training_sequences(cohort.events, task)
    assert len(batch) == 40
    assert (batch.last_score_B == task.target.assumed).all()


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not here")
def test_the_people_of_the_trial_become_a_cohort() -> None:
    events, provenance = import_ist(REAL)
    assert events[SUBJECT].nunique() == 14_845
    assert {rule.rule: rule.rows for rule in provenance.rules} == {
        "no scan before randomisation: visible infarct not recorded": 4_933,
        "outcome at six months not known: due and lost": 124,
        "outcome of about six months placed on day 182, of the dead too": 14_721,
    }
    outcomes = events.loc[events[CODE] == "REHABCAST//STROKE_OUTCOME", NUMBER]
    assert outcomes.value_counts().to_dict() == {1: 5_963, 0: 3_183, 2: 3_050, 3: 2_525}
    assert events.loc[events[CODE] == "REHABCAST//COUNTRY", TEXT].nunique() == 34
    assert events.loc[events[CODE] == "REHABCAST//SITE", TEXT].nunique() == 365
