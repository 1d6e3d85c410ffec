"""Times of a cohort: the wall clock of a zone, years that can be, and dates that are nobody's."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, PROVENANCE_FILE, SUBJECT, TIME, Provenance
from contracts.errors import CohortInvalid, ContractError
from features.checks import check_events
from features.cohort import new_cohort, read_cohort, replace_events, write_cohort
from features.cohort.file_checks import is_sound
from tests.features.cohort.test_subject_labels import PROVENANCE, STEPS, people

EVENING = pd.Timestamp("2024-06-03 23:30")
FUTURE = pd.Timestamp.now().normalize() + pd.Timedelta(days=400)


def with_zone(folder: Path, zone: str) -> None:
    """Give the times of a cohort a zone, their wall clock unchanged."""
    file = folder / "data" / "0.parquet"
    table = pq.read_table(file)
    column = pc.assume_timezone(table[TIME], timezone=zone)
    assert str(column.type) == f"timestamp[us, tz={zone}]"
    pq.write_table(table.set_column(1, TIME, column), file)


@pytest.mark.parametrize("zone", ["Europe/Oslo", "America/Los_Angeles", "+09:00", "Asia/Kolkata"])
def test_a_time_with_a_zone_keeps_its_wall_clock(tmp_path: Path, zone: str) -> None:
    before = write_cohort(people(1, start=EVENING), PROVENANCE, tmp_path / "cohort")
    with_zone(tmp_path / "cohort", zone)
    read = read_cohort(tmp_path / "cohort")
    pd.testing.assert_frame_equal(read.events, before.events)
    assert read.notes == ()


def test_times_in_utc_stay_so_and_that_is_said(tmp_path: Path) -> None:
    before = write_cohort(people(1, start=EVENING), PROVENANCE, tmp_path / "cohort")
    with_zone(tmp_path / "cohort", "UTC")
    read = read_cohort(tmp_path / "cohort")
    pd.testing.assert_frame_equal(read.events, before.events)
    (note,) = read.notes
    assert (note.file, note.field) == ("data/0.parquet", TIME)
    assert "UTC" in note.found


def test_written_times_are_refused_and_never_converted(tmp_path: Path) -> None:
    write_cohort(people(1), PROVENANCE, tmp_path / "cohort")
    file = tmp_path / "cohort" / "data" / "0.parquet"
    table = pq.read_table(file)
    text = pa.array([None, *["2024-03-04T23:30:00+01:00"] * 3])
    pq.write_table(table.set_column(1, TIME, text), file)
    with pytest.raises(CohortInvalid, match="expected timestamps"):
        read_cohort(tmp_path / "cohort")


@pytest.mark.parametrize(
    ("when", "what"), [(pd.Timestamp("1970-01-01"), "before 1990"), (FUTURE, "in the future")]
)
def test_a_year_that_cannot_be_is_found_unless_dates_are_declared_as_shifted(
    tmp_path: Path, when: pd.Timestamp, what: str
) -> None:
    events = people(1, 2, start=when)
    with pytest.raises(CohortInvalid, match=f"lies {what}"):
        write_cohort(events, PROVENANCE, tmp_path / "cohort")
    shifted = replace(PROVENANCE, dates_shifted=True)
    cohort = write_cohort(events, shifted, tmp_path / "cohort")
    assert cohort.provenance.dates_shifted
    assert replace_events(tmp_path / "cohort", events).digest == cohort.digest
    record = json.loads((tmp_path / "cohort" / PROVENANCE_FILE).read_text())
    record["dates_shifted"] = False
    (tmp_path / "cohort" / PROVENANCE_FILE).write_text(json.dumps(record))
    with pytest.raises(CohortInvalid) as caught:
        read_cohort(tmp_path / "cohort")
    assert sum(problem.count for problem in caught.value.problems) == 2 * 3
    assert all(what in problem.cause for problem in caught.value.problems)
    assert "dates_shifted" in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(
    st.datetimes(dt.datetime(1989, 12, 30), dt.datetime(1990, 1, 3)),
    st.booleans(),
)
def test_the_quick_check_knows_impossible_years_too(when: dt.datetime, shifted: bool) -> None:
    events = people(1, start=pd.Timestamp(when)).astype({CODE: "category"})
    events[TIME] = events[TIME].astype("datetime64[us]")
    found = check_events(events, file="x", dates_shifted=shifted)
    assert is_sound(events, dates_shifted=shifted) == (not found)
    assert bool(found) == (not shifted and when.year < 1990)


def test_tomorrow_is_still_possible_somewhere() -> None:
    tomorrow = pd.Timestamp.now(tz="UTC").tz_localize(None).normalize() + pd.Timedelta(days=1)
    assert check_events(people(1, start=tomorrow), file="x") == []
    assert check_events(people(1, start=tomorrow + pd.Timedelta(days=1)), file="x")


def test_provenance_of_before_and_of_other_programs_is_read(tmp_path: Path) -> None:
    write_cohort(people(1), PROVENANCE, tmp_path / "cohort")
    file = tmp_path / "cohort" / PROVENANCE_FILE
    record = json.loads(file.read_text())
    del record["dates_shifted"]
    file.write_text(json.dumps(record))
    assert read_cohort(tmp_path / "cohort").provenance == PROVENANCE
    theirs = {"name": "theirs", "source": "MIMIC", "simulated": False, "dates_shifted": True}
    file.write_text(json.dumps(theirs))
    assert read_cohort(tmp_path / "cohort").provenance == Provenance(**theirs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", '{"name": "x", "source": "y"}',
        '{"name": "x", "source": "y", "simulated": "no"}',
        '{"name": "x", "source": "y", "simulated": false, "date_shifted": true}',
        '{"name": "x", "source": "y", "simulated": false, "dates_shifted": "yes"}',
        '{"name": "x", "source": "y", "simulated": false, "rules": [{"rule": "a"}]}',
    ],
)  # fmt: skip
def test_damaged_provenance_is_refused(tmp_path: Path, text: str) -> None:
    write_cohort(people(1), PROVENANCE, tmp_path / "cohort")
    (tmp_path / "cohort" / PROVENANCE_FILE).write_text(text)
    with pytest.raises(CohortInvalid, match=r"provenance\.json"):
        read_cohort(tmp_path / "cohort")


def test_other_damaged_metadata_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    write_cohort(people(1), PROVENANCE, folder)
    codes, dataset = folder / "metadata" / "codes.parquet", folder / "metadata" / "dataset.json"
    sound = codes.read_bytes()
    codes.write_bytes(sound[:100])
    dataset.write_text("{")
    with pytest.raises(CohortInvalid) as caught:
        read_cohort(folder)
    assert {problem.file for problem in caught.value.problems} == {
        "metadata/codes.parquet", "metadata/dataset.json",
    }  # fmt: skip
    codes.write_bytes(sound)
    dataset.unlink()
    assert read_cohort(folder).events[SUBJECT].tolist() == [1] * 4
    table = pq.read_table(codes).to_pandas()
    table.loc[table["code"] == STEPS, "unit"] = "km/d"
    table.to_parquet(codes)
    with pytest.raises(CohortInvalid, match="its unit is 'km/d'"):
        read_cohort(folder)


def test_what_fails_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for failure in (OSError(28, "No space left on device"), KeyboardInterrupt()):

        def fail(*_: object, failure: BaseException = failure, **__: object) -> None:
            raise failure

        monkeypatch.setattr("features.cohort.write_metadata", fail)
        with pytest.raises((ContractError, KeyboardInterrupt)):
            write_cohort(people(1), PROVENANCE, tmp_path / "cohort")
        assert list(tmp_path.iterdir()) == []


def test_an_interrupted_replacement_is_never_read_as_a_smaller_cohort(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cohort"
    from features.cohort.data_file import EVENT_SCHEMA, write_events

    with new_cohort(folder, PROVENANCE) as draft:
        for subject in (1, 2):
            columns = people(subject).astype({NUMBER: "float32"})
            table = pa.Table.from_pandas(columns, EVENT_SCHEMA, preserve_index=False)
            write_events(table, draft / "data" / f"00000{subject}.parquet")

    def stop(self: Path, **_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", stop)
    with pytest.raises(KeyboardInterrupt):
        replace_events(folder, people(1, 2))
    monkeypatch.undo()
    with pytest.raises(CohortInvalid, match="too"):
        read_cohort(folder)
