"""Follow-ups as hospitals write them: a column that is a visit, and a column that names visits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, SUBJECT, TIME
from contracts.errors import CohortInvalid, ContractError
from features.importing import Imported, import_source

WALK = "REHABCAST//SIX_MINUTE_WALK"
PEOPLE = """
[[tables]]
file = "people.csv"
subject = "id"
columns = [{ column = "age", code = "REHABCAST//AGE", unit = "a" }]
"""
HEAD = 'name = "clinic"\nclock = "days since onset"\n'
WIDE = f"""
[[tables]]
file = "walks.csv"
subject = "id"
columns = [
    {{ column = "walk_0", code = "{WALK}", unit = "m", day = 0 }},
    {{ column = "walk_6m", code = "{WALK}", unit = "m", day = 182 }},
]
"""
NAMED = f"""
[[tables]]
file = "walks.csv"
subject = "id"
when = "visit"
visits = {{ base = 0, "6 months" = 182 }}
columns = [{{ column = "walk", code = "{WALK}", unit = "m" }}]
"""


def imported(folder: Path, toml: str, walks: str, people: str = "id,age\n1,60\n2,70\n") -> Imported:
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / "map.toml").write_text(HEAD + PEOPLE + toml, "utf-8")
    (source / "people.csv").write_text(people, "utf-8")
    (source / "walks.csv").write_text(walks, "utf-8")
    return import_source(source / "map.toml", folder / "cohort")


def walks_of(done: Imported) -> list[tuple[int, int, float]]:
    rows = done.cohort.events[done.cohort.events[CODE] == WALK]
    first = rows[TIME].min()
    return sorted(
        (int(subject), (time - first).days, float(number))
        for subject, time, number in rows[[SUBJECT, TIME, NUMBER]].itertuples(index=False)
    )


TRUE = [(1, 0, 400.0), (1, 182, 450.0), (2, 0, 300.0)]


def test_a_column_may_be_a_visit_itself(tmp_path: Path) -> None:
    done = imported(tmp_path, WIDE, "id,walk_0,walk_6m\n1,400,450\n2,300,\n")
    assert walks_of(done) == TRUE
    assert not done.dropped


def test_a_column_may_name_visits_and_another_one_is_named(tmp_path: Path) -> None:
    table = "id,visit,walk\n1,base,400\n1,6 months,450\n2,base,300\n2,phone,310\n"
    done = imported(tmp_path, NAMED, table)
    assert walks_of(done) == TRUE
    (problem,) = [found for found in done.dropped if found.field == "visit"]
    assert problem.row == 5
    assert "'phone' where one of the visits base, 6 months is expected" in problem.found
    assert "add the visit and its day to `visits`" in problem.advice


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    walks=st.dictionaries(
        st.tuples(st.integers(1, 4), st.sampled_from([0, 182])), st.integers(100, 700), min_size=1
    ),
    order=st.randoms(use_true_random=False),
)
def test_both_ways_of_writing_a_follow_up_are_the_same_cohort(
    tmp_path_factory: pytest.TempPathFactory, walks: dict[tuple[int, int], int], order: object
) -> None:
    """Whoever writes a walk as a column and whoever writes it as a row mean the same."""
    folder = tmp_path_factory.mktemp("ways")
    people = "id,age\n" + "".join(f"{person},60\n" for person in sorted({p for p, _ in walks}))
    table = pd.Series(walks).unstack()
    wide = table.reindex(columns=[0, 182]).astype("Int64")
    wide.columns = pd.Index(["walk_0", "walk_6m"])
    rows = [f"{p},{'base' if day == 0 else '6 months'},{walk}" for (p, day), walk in walks.items()]
    order.shuffle(rows)  # type: ignore[attr-defined]
    for name in ("wide", "named"):
        (folder / name).mkdir()
    one = imported(folder / "wide", WIDE, wide.to_csv(index_label="id"), people)
    other = imported(folder / "named", NAMED, "id,visit,walk\n" + "\n".join(rows) + "\n", people)
    assert one.cohort.digest == other.cohort.digest


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (NAMED.replace('when = "visit"\n', ""), "visits has no column"),
        (
            WIDE.replace('subject = "id"', 'subject = "id"\nwhen = "date"'),
            "walk_0, walk_6m has a day",
        ),
        (WIDE.replace("day = 182", "day = -3"), "day is -3"),
        (NAMED.replace("182", '"half a year"'), "half a year"),
    ],
)
def test_a_map_that_contradicts_itself_says_what_to_write(
    tmp_path: Path, toml: str, says: str
) -> None:
    with pytest.raises(ContractError, match=says):
        imported(tmp_path, toml, "id,walk_0,walk_6m,visit,walk,date\n")


def test_days_of_visits_are_of_the_day_clock(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "map.toml").write_text(HEAD.replace("days since onset", "timestamps") + WIDE, "utf-8")
    with pytest.raises(ContractError, match="the clock is timestamps"):
        import_source(source / "map.toml", tmp_path / "cohort")


def test_a_score_without_a_date_is_refused_with_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(CohortInvalid) as refused:
        imported(tmp_path, WIDE.replace(", day = 182", ""), "id,walk_0,walk_6m\n1,400,450\n")
    assert "name the column of its date as `when`" in str(refused.value)
    assert "`day = 84`" in str(refused.value)


def test_kilograms_of_a_dynamometer_are_explained(tmp_path: Path) -> None:
    grip = WIDE.replace(WALK, "REHABCAST//GRIP_STRENGTH").replace('"m"', '"kg"')
    with pytest.raises(CohortInvalid, match="files write kg, which is kgf here"):
        imported(tmp_path, grip, "id,walk_0,walk_6m\n1,40,45\n")


def test_a_column_of_a_visit_is_no_list_of_people(tmp_path: Path) -> None:
    """Who left before a visit is not missing from a list of people."""
    done = imported(tmp_path, WIDE, "id,walk_0,walk_6m\n1,400,450\n")
    assert [p.found for p in done.dropped if "no row in walks.csv" in p.found] == []
    assert np.unique(done.cohort.events[SUBJECT]).tolist() == [1]
