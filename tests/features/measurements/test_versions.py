"""The newest version of each statement, once, in any order and number of files."""

from __future__ import annotations

from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from features.measurements.records import Amount, records
from features.measurements.versions import STATED, newest_versions

Row = dict[str, Any]
STEPS = "LOINC//41950-7"


def stated(number: float, **more: Any) -> Row:
    row: Row = {
        "subject_label": "p", "code": STEPS, "numeric_value": number, "amount": Amount.PART,
        "time": pd.Timestamp("2024-03-05 09:00"), "end": pd.Timestamp("2024-03-05 10:00"),
        "record_id": "", "file": "a", "place": "",
    }  # fmt: skip
    return row | more


def kept(rows: list[Row]) -> list[float]:
    return sorted(newest_versions(records(rows))[0]["numeric_value"])


versions = st.lists(
    st.fixed_dictionaries(
        {
            "record_id": st.sampled_from(["x", "y", ""]),
            "version": st.sampled_from([float("nan"), 1.0, 2.0]),
            "updated": st.sampled_from([pd.NaT, *pd.date_range("2024-01-01", periods=2)]),
            "number": st.integers(0, 3),
            "place": st.sampled_from(["1", "2", "3"]),
        }
    ),
    max_size=8,
)


def model(rows: list[Row]) -> set[float]:
    """The newest rows of each statement, none where two places of them differ."""
    found = {row["numeric_value"] for row in rows if not row["record_id"]}
    for name in {row["record_id"] for row in rows} - {""}:
        of = [row for row in rows if row["record_id"] == name]
        for key in ("version", "updated"):
            if not any(pd.isna(row[key]) for row in of):
                newest = max(row[key] for row in of)
                of = [row for row in of if row[key] == newest]
        places: dict[str, set[float]] = {}
        for row in of:
            places.setdefault(row["place"], set()).add(row["numeric_value"])
        if len({frozenset(parts) for parts in places.values()}) == 1:
            found |= {row["numeric_value"] for row in of}
    return found


@settings(max_examples=60)
@given(versions, st.randoms())
def test_the_newest_version_counts_in_any_order(drawn: list[dict[str, Any]], order: Any) -> None:
    rows = [stated(float(row.pop("number")), **row) for row in drawn]
    expected = sorted(model(rows))
    assert kept(rows) == expected
    order.shuffle(rows)
    assert kept(rows) == expected
    assert kept([*rows, *(row | {"file": "copy"} for row in rows)]) == expected


def test_a_withdrawn_version_takes_the_earlier_ones_with_it() -> None:
    old = stated(5, record_id="x", version=1)
    assert (
        kept([old, stated(float("nan"), record_id="x", version=2, amount=Amount.WITHDRAWN)]) == []
    )


def test_what_contradicts_itself_is_left_out_and_named() -> None:
    rows = [stated(n, record_id="x", file="f.csv", place=str(n)) for n in (4, 5)]
    table, (problem,) = newest_versions(records(rows))
    assert table.empty
    assert (problem.file, problem.row) == ("f.csv", 4)
    assert "x is there 2 times" in problem.found


def test_a_version_without_a_number_or_time_is_not_taken_for_older() -> None:
    changed = pd.Timestamp("2024-01-01")
    rows = [
        stated(4, record_id="x", updated=changed, place="1"),
        stated(5, record_id="x", place="2"),
    ]
    assert kept(rows) == []
    assert kept([rows[0], rows[1] | {"numeric_value": 4}]) == [4]


def test_one_statement_of_several_parts_is_compared_as_a_whole() -> None:
    parts = [stated(n, record_id="x", place="1") for n in (4, 5)]
    copy = [row | {"place": "9", "file": "b"} for row in parts[::-1]]
    assert kept([*parts, *copy]) == [4, 5]
    assert kept([*parts, copy[0]]) == []


def test_two_sessions_of_a_day_stay_two_and_a_repeated_interval_is_one() -> None:
    session = stated(30, end=pd.NaT)
    assert kept([session | {"record_id": "x"}, session | {"record_id": "y"}]) == [30, 30]
    assert kept([session, session]) == [30]
    assert kept([stated(30, record_id="x"), stated(30, record_id="y")]) == [30]


def test_of_repetitions_the_last_change_stays_and_their_number_in_one_file_is_known() -> None:
    changed = [pd.NaT, pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-01")]
    rows = [stated(4, updated=time) for time in changed]
    for ordered in (rows, rows[::-1]):
        table, _ = newest_versions(records([*ordered, stated(4, file="b"), stated(9)]))
        assert table["updated"].iloc[0] == changed[1]
        assert table[STATED].tolist() == [3, 1]
