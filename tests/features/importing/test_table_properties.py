"""Tables of values through a column map: what must hold however their rows are distributed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, SUBJECT, TIME
from features.importing import import_source

FEW = settings(max_examples=5)
Row = tuple[str, pd.Timestamp, str, int]
COLUMNS = {"FM": ("REHABCAST//FUGL_MEYER_UE", "{score}"), "steps": ("LOINC//41950-7", "/d")}


@st.composite
def tables(draw: st.DrawFn, people: Sequence[str] = ("01", "1", "p")) -> list[Row]:
    """Rows of a long table, at most one a person, day and name."""
    cells = st.tuples(st.sampled_from(people), st.integers(0, 20), st.sampled_from(list(COLUMNS)))
    where = draw(st.lists(cells, min_size=4, max_size=14, unique=True))
    first = pd.Timestamp("2024-03-01")
    return [
        (label, first + pd.Timedelta(days=day), name, draw(st.integers(1, 60)))
        for label, day, name in where
    ]


def imported(*parts: Sequence[Row], names: Sequence[str] = ("a", "b", "c")) -> set[tuple[Any, ...]]:
    """Import each part as a table, and return what the cohort holds by the source's identifiers."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        entries = ['name = "tables"', 'clock = "timestamps"']
        for name, rows in zip(names, parts, strict=False):
            lines = [f"{label},{day:%Y-%m-%d},{what},{value}" for label, day, what, value in rows]
            (home / f"{name}.csv").write_text(
                "\n".join(["who,day,what,value", *lines, ""]), "utf-8"
            )
            columns = ", ".join(
                f'{{ column = "{column}", code = "{code}", unit = "{unit}", missing = [] }}'
                for column, (code, unit) in COLUMNS.items()
            )
            entries.append(
                f'[[tables]]\nfile = "{name}.csv"\nsubject = "who"\nwhen = "day"\n'
                f'names_in = "what"\nvalues_in = "value"\ncolumns = [{columns}]'
            )
        (home / "map.toml").write_text("\n".join(entries), "utf-8")
        done = import_source(home / "map.toml", home / "cohort")
        report = json.loads((home / "cohort" / "metadata" / "import.json").read_text())
    labels = {int(number): label for number, label in report["subjects"].items()}
    rows = done.cohort.events[[SUBJECT, TIME, CODE, NUMBER]].itertuples(index=False)
    return {(labels[who], time, str(code), f"{number:.3f}") for who, time, code, number in rows}


@FEW
@given(rows=tables(), order=st.randoms(use_true_random=False), cut=st.integers(1, 3))
def test_order_files_and_names_decide_nothing(rows: list[Row], order: Any, cut: int) -> None:
    whole = imported(rows)
    mixed = list(rows)
    order.shuffle(mixed)
    assert imported(mixed) == whole
    assert imported(mixed[:cut], mixed[cut:]) == whole
    assert imported(mixed[:cut], mixed[cut:], names=("zz", "0")) == whole


@FEW
@given(rows=tables(), cut=st.integers(1, 3))
def test_rows_given_twice_count_once(rows: list[Row], cut: int) -> None:
    assert imported([*rows, *rows[:cut]], rows) == imported(rows)


@FEW
@given(rows=tables(), days=st.integers(1, 300))
def test_dates_some_days_later_are_some_days_later(rows: list[Row], days: int) -> None:
    by = pd.Timedelta(days=days)
    late = imported([(label, day + by, name, value) for label, day, name, value in rows])
    assert late == {(who, time + by, *rest) for who, time, *rest in imported(rows)}


@FEW
@given(rows=tables(), others=tables(people=("q",)))
def test_another_person_changes_nobody(rows: list[Row], others: list[Row]) -> None:
    both = imported(rows, others)
    assert {row for row in both if row[0] != "q"} == imported(rows)
    assert {row for row in both if row[0] == "q"} == imported(others)
