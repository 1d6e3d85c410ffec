"""Therapy by kind: from tables and records, each minute once in the day's therapy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, SUBJECT, TIME
from contracts.digests import folder_digest
from contracts.errors import CohortInvalid
from contracts.therapy import DISCIPLINES, THERAPY, WAYS
from features.importing import grow_cohort, import_source

NAMES = {code.rpartition("_")[2].lower(): code for code in DISCIPLINES}
PHYSIO, SPEECH, GROUP = NAMES["physio"], NAMES["speech"], "REHABCAST//THERAPY_GROUP"
HEAD = 'name = "ours"\nclock = "days since onset"\nsimulated = true\n'
PEOPLE = """
[[tables]]
file = "people.csv"
subject = "id"
columns = [{ column = "in", code = "REHABCAST//ENROLMENT" }]
[[tables]]
file = "scores.csv"
subject = "id"
when = "day"
columns = [{ column = "fm", code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}" }]
"""
SESSIONS = """
[[tables]]
file = "therapy.csv"
subject = "id"
when = "day"
names_in = "kind"
values_in = "hours"
columns = [
"""
DAYS = """
[[tables]]
file = "therapy.csv"
subject = "id"
when = "day"
columns = [
"""


def source(folder: Path, tables: str, columns: list[str], therapy: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    body = "".join(f"    {{ {column} }},\n" for column in columns)
    (folder / "map.toml").write_text(f"{HEAD}{PEOPLE}{tables}{body}]\n", "utf-8")
    (folder / "people.csv").write_text("id,in\n1,2\n2,2\n", "utf-8")
    (folder / "scores.csv").write_text("id,day,fm\n1,2,20\n2,2,30\n", "utf-8")
    (folder / "therapy.csv").write_text(therapy, "utf-8")
    return folder / "map.toml"


def by_day(events: pd.DataFrame) -> dict[tuple[int, int, str], float]:
    of_therapy = events[events[CODE].str.startswith(THERAPY)]
    day = (of_therapy[TIME] - pd.Timestamp("2000-01-01")).dt.days
    keys = zip(of_therapy[SUBJECT], day, of_therapy[CODE], strict=True)
    return dict(zip(keys, of_therapy[NUMBER].round(4), strict=True))


LONG = [
    f'column = "{name}", code = "{code}", unit = "h", sessions = true'
    for name, code in NAMES.items()
]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=st.lists(
        st.tuples(
            st.integers(1, 2), st.integers(3, 4), st.sampled_from(sorted(NAMES)),
            st.sampled_from([15, 30, 45, 60]),
        ),
        min_size=1, max_size=8,
    ),
    order=st.randoms(use_true_random=False),
)  # fmt: skip
def test_sessions_of_a_day_add_up_by_kind_and_in_all(
    drawn: list[tuple[int, int, str, int]], order: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sessions")
    order.shuffle(drawn)  # type: ignore[attr-defined]
    rows = "".join(f"{id_},{day},{kind},{minutes / 60}\n" for id_, day, kind, minutes in drawn)
    done = import_source(source(folder, SESSIONS, LONG, f"id,day,kind,hours\n{rows}"), folder / "c")
    wanted: Counter[tuple[int, int, str]] = Counter()
    for id_, day, kind, minutes in drawn:
        wanted[id_, day, NAMES[kind]] += minutes
        wanted[id_, day, THERAPY] += minutes
    assert by_day(done.cohort.events) == pytest.approx(dict(wanted))


def wide(*codes: str) -> list[str]:
    return [f'column = "c{n}", code = "{code}", unit = "min/d"' for n, code in enumerate(codes)]


def test_how_therapy_was_given_adds_nothing(tmp_path: Path) -> None:
    table = "id,day,c0,c1,c2\n1,3,30,15,45\n1,4,,,20\n"
    done = import_source(source(tmp_path, DAYS, wide(PHYSIO, SPEECH, GROUP), table), tmp_path / "c")
    assert by_day(done.cohort.events) == {
        (1, 3, PHYSIO): 30, (1, 3, SPEECH): 15, (1, 3, GROUP): 45, (1, 3, THERAPY): 45,
        (1, 4, GROUP): 20,
    }  # fmt: skip


def test_a_total_that_is_stated_stands_and_one_that_cannot_be_is_left_out(tmp_path: Path) -> None:
    table = "id,day,c0,c1\n1,3,30,60\n1,4,50,20\n2,3,,40\n"
    done = import_source(source(tmp_path, DAYS, wide(PHYSIO, THERAPY), table), tmp_path / "c")
    assert by_day(done.cohort.events) == {
        (1, 3, PHYSIO): 30, (1, 3, THERAPY): 60, (2, 3, THERAPY): 40,
    }  # fmt: skip
    said = "\n".join(map(str, done.dropped))
    assert "physiotherapy received of 50 min" in said
    assert "more than all therapy of that day (20 min)" in said


def test_a_session_that_cannot_be_read_leaves_the_day_without_a_sum(tmp_path: Path) -> None:
    table = "id,day,kind,hours\n1,3,physio,0.5\n1,3,physio,long\n1,4,physio,1\n"
    done = import_source(source(tmp_path, SESSIONS, LONG, table), tmp_path / "c")
    assert by_day(done.cohort.events) == {(1, 4, PHYSIO): 60, (1, 4, THERAPY): 60}


def test_the_same_sessions_twice_change_nothing(tmp_path: Path) -> None:
    table = "id,day,kind,hours\n1,3,physio,0.5\n1,3,physio,0.5\n1,4,other,1\n"
    map_ = source(tmp_path, SESSIONS, LONG, table)
    import_source(map_, tmp_path / "c")
    before = folder_digest(tmp_path / "c" / "data")
    grow_cohort(map_, tmp_path / "c")
    assert folder_digest(tmp_path / "c" / "data") == before


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ('column = "c0", code = "REHABCAST//FUGL_MEYER_UE", unit = "{score}"', "don't add up"),
        ('column = "c0", code = "REHABCAST//THERAPY_EXERTION", unit = "{score}"', "don't add up"),
        (f'column = "c0", code = "{PHYSIO}", unit = "min/d"', "kept in 'min'"),
    ],
)
def test_what_is_no_session_is_refused(column: str, said: str, tmp_path: Path) -> None:
    map_ = source(tmp_path, DAYS, [f"{column}, sessions = true"], "id,day,c0\n1,3,10\n")
    with pytest.raises(CohortInvalid, match=said):
        import_source(map_, tmp_path / "c")


def test_every_way_is_named_apart_from_the_disciplines() -> None:
    assert not set(WAYS) & set(DISCIPLINES)
