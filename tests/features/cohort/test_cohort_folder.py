from __future__ import annotations

import json
from pathlib import Path

import meds
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME, Provenance
from contracts.errors import CohortInvalid, ContractError
from features.checks import check_events
from features.cohort import read_cohort, write_cohort
from features.cohort.summary import summarise

PROVENANCE = Provenance(name="made up", source="test", simulated=True)
SCORE = "REHABCAST//FUGL_MEYER_UE"


@pytest.fixture
def small(events: pd.DataFrame) -> pd.DataFrame:
    return events[events[SUBJECT] <= 4].reset_index(drop=True)


def test_a_written_cohort_reads_back_the_same(small: pd.DataFrame, tmp_path: Path) -> None:
    written = write_cohort(small, PROVENANCE, tmp_path / "cohort")
    read = read_cohort(tmp_path / "cohort")
    pd.testing.assert_frame_equal(written.events, read.events)
    assert read.provenance == PROVENANCE
    assert read.digest == written.digest
    assert len(read.events) == len(small)


def test_a_cohort_on_disk_is_a_meds_dataset(small: pd.DataFrame, tmp_path: Path) -> None:
    write_cohort(small, PROVENANCE, tmp_path / "cohort")
    meds.DataSchema.validate(pq.read_table(tmp_path / "cohort" / "data" / "0.parquet"))
    codes = pq.read_table(tmp_path / "cohort" / meds.code_metadata_filepath)
    meds.CodeMetadataSchema.validate(codes)
    assert set(codes["code"].to_pylist()) == set(small[CODE])
    dataset = json.loads((tmp_path / "cohort" / meds.dataset_metadata_filepath).read_text())
    meds.DatasetMetadataSchema.validate(dataset)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**31))
def test_the_order_of_rows_does_not_change_the_digest(
    small: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("order")
    shuffled = small.sample(frac=1, random_state=seed)
    first = write_cohort(small, PROVENANCE, folder / "first")
    assert write_cohort(shuffled, PROVENANCE, folder / "second").digest == first.digest


CORRUPTIONS = {
    "unknown code": (CODE, "NOBODY//KNOWS", CODE, "not in the vocabulary"),
    "impossible value": (NUMBER, 67.0, SCORE, "expected 0 to 66"),
    "infinite value": (NUMBER, np.inf, SCORE, "no number, expected"),
    "missing value": (NUMBER, np.nan, SCORE, "leave the row out: a missing value has no row"),
    "before onset": (TIME, pd.Timestamp("1999-12-30"), SCORE, "lies before the onset"),
    "no time": (TIME, pd.NaT, SCORE, "say when"),
}


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_any_corrupt_event_is_found_in_its_row(small: pd.DataFrame, kind: str) -> None:
    field, value, expected_field, message = CORRUPTIONS[kind]
    for position in small.index[small[CODE] == SCORE][:5]:
        broken = small.copy()
        broken.loc[position, field] = value
        (problem,) = check_events(broken, file="events.csv")
        assert (problem.file, problem.row, problem.field) == (
            "events.csv",
            position + 2,
            expected_field,
        )
        assert message in problem.message


def test_labels_facts_and_dates_are_checked_too(small: pd.DataFrame) -> None:
    sex = small.index[small[CODE] == "REHABCAST//SEX"][0]
    age = small.index[small[CODE] == "REHABCAST//AGE"][0]
    cases = {
        "expected female, male": small.assign(**{TEXT: small[TEXT].where(small.index != sex, "F")}),
        "leave the time empty": small.assign(
            **{TIME: small[TIME].where(small.index != age, pd.Timestamp("2000-02-01"))}
        ),
        "has no onset": small[~((small[CODE] == ONSET) & (small[SUBJECT] == 2))],
        "has no enrolment": small[~((small[CODE] == ENROLMENT) & (small[SUBJECT] == 3))],
        "already has one": pd.concat([small, small.iloc[[age]]]),
    }
    for message, broken in cases.items():
        assert [message in problem.message for problem in check_events(broken, file="x")] == [True]


def test_two_scores_on_one_day_are_one_too_many(small: pd.DataFrame) -> None:
    twice = small[small[CODE] == SCORE].iloc[[0]]
    twice = twice.assign(**{TIME: twice[TIME] + pd.Timedelta(hours=5), NUMBER: 1.0})
    (problem,) = check_events(pd.concat([small, twice], ignore_index=True), file="x")
    assert problem.row == len(small) + 2
    assert "already has one on" in problem.message


def test_a_bad_cohort_leaves_nothing_behind(small: pd.DataFrame, tmp_path: Path) -> None:
    broken = small.assign(**{CODE: "NOBODY//KNOWS"})
    with pytest.raises(CohortInvalid, match="nothing was read or written"):
        write_cohort(broken, PROVENANCE, tmp_path / "cohort")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_not_overwritten(small: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ContractError, match="name a new folder"):
        write_cohort(small, PROVENANCE, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def data_file(folder: Path) -> Path:
    return folder / "data" / "0.parquet"


def test_damaged_and_foreign_files_are_reported_by_name(
    small: pd.DataFrame, tmp_path: Path
) -> None:
    write_cohort(small, PROVENANCE, tmp_path / "cut")
    data_file(tmp_path / "cut").write_bytes(data_file(tmp_path / "cut").read_bytes()[:200])
    with pytest.raises(CohortInvalid, match=r"data/0\.parquet.*cannot be read as Parquet"):
        read_cohort(tmp_path / "cut")
    write_cohort(small, PROVENANCE, tmp_path / "columns")
    table = pq.read_table(data_file(tmp_path / "columns")).drop(["code"])
    pq.write_table(table, data_file(tmp_path / "columns"))
    with pytest.raises(CohortInvalid, match=r"not the MEDS data schema.*code"):
        read_cohort(tmp_path / "columns")
    with pytest.raises(CohortInvalid, match="name a cohort folder"):
        read_cohort(tmp_path / "nothing")


def test_a_subject_in_two_files_or_out_of_order_is_refused(
    small: pd.DataFrame, tmp_path: Path
) -> None:
    write_cohort(small, PROVENANCE, tmp_path / "cohort")
    table = pq.read_table(data_file(tmp_path / "cohort"))
    pq.write_table(table, tmp_path / "cohort" / "data" / "1.parquet")
    with pytest.raises(CohortInvalid, match=r"is in data/0\.parquet too"):
        read_cohort(tmp_path / "cohort")
    (tmp_path / "cohort" / "data" / "1.parquet").unlink()
    pq.write_table(table.take(list(range(len(table)))[::-1]), data_file(tmp_path / "cohort"))
    with pytest.raises(CohortInvalid, match="sort each subject by time"):
        read_cohort(tmp_path / "cohort")


def test_a_foreign_meds_cohort_needs_no_provenance(small: pd.DataFrame, tmp_path: Path) -> None:
    write_cohort(small, PROVENANCE, tmp_path / "theirs")
    (tmp_path / "theirs" / "metadata" / "provenance.json").unlink()
    read = read_cohort(tmp_path / "theirs")
    assert read.provenance == Provenance(name="theirs", source="MEDS folder", simulated=False)


def test_a_summary_counts_people_and_what_is_not_recorded(
    small: pd.DataFrame, tmp_path: Path
) -> None:
    summary = summarise(write_cohort(small, PROVENANCE, tmp_path / "cohort"))
    assert summary.subjects == 4
    assert summary.simulated is True
    assert summary.not_recorded["aphasia"] == 4
    assert sum(code.events for code in summary.codes) == len(small)


@pytest.mark.parametrize("moment", [ONSET, ENROLMENT])
def test_a_second_onset_or_enrolment_is_one_too_many_on_any_day(
    small: pd.DataFrame, moment: str
) -> None:
    again = small[small[CODE] == moment].iloc[[0]]
    again = again.assign(**{TIME: again[TIME] + pd.Timedelta(days=3)})
    (problem,) = check_events(pd.concat([small, again], ignore_index=True), file="x")
    assert problem.row == len(small) + 2
    assert "already has one: keep one" in problem.message
