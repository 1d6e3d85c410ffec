"""A cohort numbers its subjects; whose number is whose is kept, checked and shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.cohort import (
    CODE,
    ENROLMENT,
    NUMBER,
    ONSET,
    SUBJECT,
    SUBJECT_LABEL,
    SUBJECTS_FILE,
    TEXT,
    TIME,
    Cohort,
    Provenance,
)
from contracts.errors import CohortInvalid, EvidenceMissing
from features.cohort import read_cohort, replace_events, write_cohort
from features.cohort.export import export
from rehabcast.commands.service.serve import forecast_request

PROVENANCE = Provenance(name="made up", source="test", simulated=True)
STEPS, AGE = "LOINC//41950-7", "REHABCAST//AGE"
START = pd.Timestamp("2024-03-04")
LABELS = {1: "01", 2: "1", 3: 'Ä, "x"'}


def people(*subjects: int, start: pd.Timestamp = START) -> pd.DataFrame:
    rows = []
    for subject in subjects:
        rows += [
            (subject, pd.NaT, AGE, 60.0 + subject % 7, None),
            (subject, start, ONSET, float("nan"), None),
            (subject, start, ENROLMENT, float("nan"), None),
            (subject, start, STEPS, 100.0, None),
        ]
    return pd.DataFrame(rows, columns=[SUBJECT, TIME, CODE, NUMBER, TEXT])


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return write_cohort(people(1, 2, 3), PROVENANCE, tmp_path / "cohort", labels=LABELS)


def test_identifiers_come_back_with_the_cohort_and_stay_when_days_are_replaced(
    cohort: Cohort, tmp_path: Path
) -> None:
    assert cohort.labels == LABELS
    replaced = replace_events(tmp_path / "cohort", people(1, 2))
    assert replaced.labels == LABELS
    assert (cohort.label(2), cohort.subject_of("1"), cohort.subject_of("2")) == ("1", 2, None)


def test_without_the_file_the_number_is_the_identifier(tmp_path: Path) -> None:
    plain = write_cohort(people(7), PROVENANCE, tmp_path / "plain")
    assert not (tmp_path / "plain" / SUBJECTS_FILE).exists()
    assert (plain.label(7), plain.subject_of("7"), plain.subject_of("07")) == ("7", 7, None)


def labels_file(folder: Path, numbers: list[object], labels: list[object]) -> None:
    table = pa.table({SUBJECT: numbers, SUBJECT_LABEL: labels})
    pq.write_table(table, folder / SUBJECTS_FILE)


@pytest.mark.parametrize(
    ("numbers", "labels", "message"),
    [
        ([1, 2], ["a", "b"], "subject_id 3 has no subject_label"),
        ([1, 2, 3], ["a", "b", "a"], "'a' stands for several subjects"),
        ([1, 2, 3, 3], ["a", "b", "c", "d"], "3 stands for several subjects"),
        ([1, 2, 3], ["a", "b", None], "where a subject is expected"),
        ([1, 2, 3], ["a", "b", ""], "where a subject is expected"),
        ([1, 2, 3], [1, 2, 3], "of text"),
        (["1", "2", "3"], ["a", "b", "c"], "of whole numbers"),
        ([1.0, 2.0, 3.0], ["a", "b", "c"], "of whole numbers"),
    ],
)
def test_a_mapping_that_does_not_tell_people_apart_is_refused(
    cohort: Cohort, tmp_path: Path, numbers: list[object], labels: list[object], message: str
) -> None:
    labels_file(tmp_path / "cohort", numbers, labels)
    with pytest.raises(CohortInvalid, match=message) as caught:
        read_cohort(tmp_path / "cohort")
    assert {problem.file for problem in caught.value.problems} == {SUBJECTS_FILE}


def test_a_damaged_mapping_is_named(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "cohort" / SUBJECTS_FILE).write_bytes(b"PAR1 and no more")
    with pytest.raises(CohortInvalid, match=r"metadata/subjects\.parquet"):
        read_cohort(tmp_path / "cohort")


def test_a_cohort_is_not_written_with_an_incomplete_or_ambiguous_mapping(tmp_path: Path) -> None:
    for labels in ({1: "a"}, {1: "a", 2: "a"}):
        with pytest.raises(CohortInvalid, match="one identifier of its own"):
            write_cohort(people(1, 2), PROVENANCE, tmp_path / "cohort", labels=labels)
    assert list(tmp_path.iterdir()) == []


def test_problems_name_the_subject_as_its_source_does(cohort: Cohort, tmp_path: Path) -> None:
    bad = people(1, 2, 3)
    bad.loc[(bad[SUBJECT] == 2) & (bad[CODE] == STEPS), NUMBER] = -5.0
    with pytest.raises(CohortInvalid, match=r"impossible.*\(subject 1\)"):
        replace_events(tmp_path / "cohort", bad)
    file = tmp_path / "cohort" / "data" / "0.parquet"
    table = pq.read_table(file)
    pq.write_table(table.slice(4), file.with_name("1.parquet"))
    with pytest.raises(CohortInvalid, match=r"subject 1 is in data/0\.parquet too"):
        read_cohort(tmp_path / "cohort")


def test_tables_for_other_programs_name_the_subject(cohort: Cohort, tmp_path: Path) -> None:
    export(cohort, tmp_path / "cohort", tmp_path / "csv", "csv")
    for name in ("events.csv", "days.csv"):
        table = pd.read_csv(tmp_path / "csv" / name, dtype=str, keep_default_na=False)
        assert dict(zip(table[SUBJECT], table[SUBJECT_LABEL], strict=True)) == {
            str(number): label for number, label in LABELS.items()
        }
    export(cohort, tmp_path / "cohort", tmp_path / "meds", "meds")
    assert read_cohort(tmp_path / "meds").labels == LABELS


def test_an_export_that_cannot_be_written_leaves_nothing(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(Exception, match="No space left"):
        export(cohort, tmp_path / "cohort", tmp_path / "meds", "meds")
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


def test_a_forecast_is_asked_for_by_the_identifier_and_never_by_another_ones_number(
    cohort: Cohort,
) -> None:
    request = forecast_request(cohort, "1", as_of_day=None, weeks=None)
    assert request.subject == "1"
    ages = [o.value for o in request.observations if o.code == AGE]
    assert ages == [62.0], "subject_id 2 is the one whose identifier is 1"
    with pytest.raises(EvidenceMissing, match="subject_label"):
        forecast_request(cohort, "3", as_of_day=None, weeks=None)


BIG = (2**53, 2**53 + 1, 2**53 + 2, 2**62, 2**62 + 1, 2**63 - 1)


def test_ids_beyond_the_exact_floats_stay_apart(tmp_path: Path) -> None:
    read = write_cohort(people(*BIG), PROVENANCE, tmp_path / "cohort")
    assert read.events[SUBJECT].unique().tolist() == list(BIG)
    assert read.events[SUBJECT].dtype == "int64"
    file = tmp_path / "cohort" / "data" / "0.parquet"
    table = pq.read_table(file)
    backwards = table.take([*range(4, len(table)), *range(4)])
    pq.write_table(backwards, file)
    assert len(read_cohort(tmp_path / "cohort").events) == len(table)


def test_a_row_without_a_subject_does_not_round_the_others(tmp_path: Path) -> None:
    write_cohort(people(*BIG), PROVENANCE, tmp_path / "cohort")
    file = tmp_path / "cohort" / "data" / "0.parquet"
    table = pq.read_table(file)
    ids = table[SUBJECT].to_pylist()
    ids[2] = None
    pq.write_table(table.set_column(0, SUBJECT, pa.array(ids, pa.int64())), file)
    with pytest.raises(CohortInvalid) as caught:
        read_cohort(tmp_path / "cohort")
    found = {(problem.row, problem.field) for problem in caught.value.problems}
    lost = table[CODE].to_pylist()[2]
    assert (4, SUBJECT) in found
    assert {field for _, field in found} == {SUBJECT, lost} & {SUBJECT, ONSET, ENROLMENT}
    two = pa.concat_tables([table, table.slice(8, 4)])
    pq.write_table(two, file)
    with pytest.raises(CohortInvalid, match=f"subject {BIG[2]}"):
        read_cohort(tmp_path / "cohort")


@pytest.mark.parametrize(
    ("kind", "values"), [(pa.string(), "{:02d}"), (pa.float64(), None), (pa.bool_(), None)]
)
def test_ids_of_another_type_are_refused_and_never_converted(
    tmp_path: Path, kind: pa.DataType, values: str | None
) -> None:
    write_cohort(people(1, 2), PROVENANCE, tmp_path / "cohort")
    file = tmp_path / "cohort" / "data" / "0.parquet"
    table = pq.read_table(file)
    ids = [values.format(n) if values else n for n in table[SUBJECT].to_pylist()]
    column = pa.array([bool(n) for n in ids] if kind == pa.bool_() else ids, kind)
    pq.write_table(table.set_column(0, SUBJECT, column), file)
    with pytest.raises(CohortInvalid, match="expected whole numbers"):
        read_cohort(tmp_path / "cohort")
