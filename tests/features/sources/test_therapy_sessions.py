"""The same sessions of therapy give the same days, whichever system they come from."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, SUBJECT, TIME
from contracts.therapy import DISCIPLINES, KINDS, THERAPY
from features.importing import Imported, import_source
from features.sources.therapy_sessions import counted_as
from tests.hospital_exports import (
    FM,
    GROUP,
    OMOP_MAP,
    PHYSIO,
    ROBOT,
    SESSION_IDS,
    THERAPY_MAP,
    Person,
    Session,
    Value,
    fhir_resources,
    omop_tables,
    write_fhir,
    write_omop,
    write_tables,
)

PEOPLE = [
    Person("A", "female", "1950-02-03", "2024-03-01", "2024-03-04"),
    Person("B", "male", "1961-12-31", "2024-03-01", "2024-03-04"),
]
VALUES = [Value("A", "2024-03-04", FM, 20), Value("B", "2024-03-04", FM, 30)]


@st.composite
def sessions(draw: st.DrawFn) -> list[Session]:
    """Draw sessions that do not overlap, each of one discipline and of any ways."""
    starts = st.tuples(st.sampled_from("AB"), st.integers(5, 6), st.integers(8, 15))
    ways = st.lists(st.sampled_from([GROUP, ROBOT]), max_size=2, unique=True)
    return [
        Session(
            label, f"2024-03-{day:02} {hour:02}:00:00", draw(st.sampled_from([15, 30, 45, 60])),
            (draw(st.sampled_from(DISCIPLINES)), *draw(ways)),
        )
        for label, day, hour in draw(st.lists(starts, min_size=1, max_size=6, unique=True))
    ]  # fmt: skip


def by_day(done: Imported) -> dict[tuple[str, str, str], float]:
    events = done.cohort.events
    own = events[events[CODE].isin([THERAPY, *KINDS])]
    keys = zip(
        own[SUBJECT].map(done.cohort.labels), own[TIME].dt.strftime("%d"), own[CODE], strict=True
    )
    return dict(zip(keys, own[NUMBER].round(4), strict=True))


@settings(max_examples=4, deadline=None)
@given(held=sessions())
def test_omop_fhir_and_a_table_agree_on_the_days_therapy_and_its_kinds(
    held: list[Session],
) -> None:
    wanted: Counter[tuple[str, str, str]] = Counter()
    for each in held:
        for code in (THERAPY, *each.kinds):
            wanted[each.label, each.at[8:10], code] += each.minutes
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        tables = omop_tables(PEOPLE, VALUES, held)
        plan = write_omop(home / "omop", tables, toml=OMOP_MAP + THERAPY_MAP)
        resources = fhir_resources(PEOPLE, VALUES, held)
        done = {
            "OMOP": import_source(home / "omop", home / "c-omop", map_file=plan),
            "FHIR": import_source(write_fhir(home / "fhir", resources), home / "c-fhir"),
            "tables": import_source(
                write_tables(home / "tables", PEOPLE, VALUES, held), home / "c-tables"
            ),
        }
    for source, imported in done.items():
        assert by_day(imported) == dict(wanted), source


def test_the_map_says_of_a_procedure_what_it_is_before_its_own_code_does(tmp_path: Path) -> None:
    held = [Session("A", "2024-03-05 09:00:00", 30, (PHYSIO,))]
    own = f'[[concepts]]\nconcept = {SESSION_IDS[PHYSIO]}\ncode = "{ROBOT}"\n'
    plan = write_omop(tmp_path / "omop", omop_tables(PEOPLE, VALUES, held), toml=OMOP_MAP + own)
    done = import_source(tmp_path / "omop", tmp_path / "cohort", map_file=plan)
    assert by_day(done) == {("A", "05", THERAPY): 30, ("A", "05", ROBOT): 30}


def test_a_procedure_that_the_map_ignores_is_left_out(tmp_path: Path) -> None:
    held = [
        Session("A", "2024-03-05 09:00:00", 30, (PHYSIO,)),
        Session("A", "2024-03-06 09:00:00", 30, (PHYSIO, GROUP)),
    ]
    toml = f"ignored = [{SESSION_IDS[GROUP]}]\n{OMOP_MAP}"
    plan = write_omop(tmp_path / "omop", omop_tables(PEOPLE, VALUES, held), toml=toml)
    done = import_source(tmp_path / "omop", tmp_path / "cohort", map_file=plan)
    assert by_day(done) == {("A", "05", THERAPY): 30, ("A", "05", PHYSIO): 30}


@pytest.mark.parametrize(
    ("codes", "counted"),
    [
        ([], ()),
        (["", FM], ()),
        ([THERAPY], (THERAPY,)),
        ([ROBOT, PHYSIO, ROBOT, ""], (THERAPY, ROBOT, PHYSIO)),
    ],
)
def test_a_session_counts_as_therapy_and_as_each_kind(
    codes: list[str], counted: tuple[str, ...]
) -> None:
    assert counted_as(codes) == counted
