"""A cohort that grows is the cohort that one import of all its sources would make."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import meds
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, SUBJECT, TEXT, TIME, Cohort
from contracts.errors import CohortInvalid, ContractError
from features.cohort import read_cohort
from features.cohort.imports import HISTORY_FILE, check_chain, read_chain
from features.importing import Imported, grow_cohort, import_source
from stores.folders import held
from tests.features.importing.documents import Format
from tests.features.importing.test_import_properties import (
    as_files,
    entries_of,
    every_format,
    halves,
    imported,
)
from tests.forked import Forked

MAP = """
name = "clinic"
clock = "{clock}"
{more}
[[tables]]
file = "people.csv"
subject = "{subject}"
columns = [
    {{ column = "sex", code = "REHABCAST//SEX", labels = {{ F = "female", M = "male" }} }},
    {{ column = "age", code = "REHABCAST//AGE", unit = "a" }},
    {onset}
]
[[tables]]
file = "scores.csv"
subject = "{subject}"
when = "day"
columns = [
    {{ column = "FM", code = "REHABCAST//FUGL_MEYER_UE", unit = "{{score}}" }},
    {{ column = "steps", code = "LOINC//41950-7", unit = "/d" }},
]
"""
ONSET = '{ column = "onset", code = "REHABCAST//ONSET" },'

Row = tuple[str, int, object, object]
Person = tuple[str, str, object]
Facts = set[tuple[object, ...]]


def export(
    folder: Path,
    rows: Sequence[Row],
    people: Sequence[Person] | None = None,
    *,
    clock: str = "days since onset",
    subject: str = "patient",
    more: str = "",
    onset: str = "",
) -> Path:
    """Write an export of a clinic: a row a visit, and a row a person."""
    folder.mkdir(parents=True)
    dates = clock == "timestamps"
    text = MAP.format(clock=clock, subject=subject, more=more, onset=ONSET if dates else "")
    (folder / "map.toml").write_text(text)
    known = people if people is not None else [(p, "F", 60) for p in sorted({r[0] for r in rows})]
    lines = [f"{subject},sex,age,onset"]
    lines += [f"{who},{sex},{age},{onset or '2024-01-01'}" for who, sex, age in known]
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    lines = [f"{subject},day,FM,steps"]
    for who, day, score, steps in rows:
        when = f"{pd.Timestamp('2024-01-01') + pd.Timedelta(days=day):%Y-%m-%d}" if dates else day
        lines.append(f"{who},{when},{score},{steps}")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return folder / "map.toml"


def facts_of(cohort: Cohort) -> Facts:
    rows = cohort.events[[SUBJECT, TIME, CODE, NUMBER, TEXT]].itertuples(index=False)
    return {
        (cohort.label(subject), str(at), str(code), f"{float(number):.3f}", str(text))
        for subject, at, code, number, text in rows
    }


def scores(cohort: Cohort) -> dict[tuple[str, int], float]:
    rows = cohort.events[cohort.events[CODE] == "REHABCAST//FUGL_MEYER_UE"]
    days = (rows[TIME] - pd.Timestamp("2000-01-01")).dt.days
    return {
        (cohort.label(who), day): float(score)
        for who, day, score in zip(rows[SUBJECT], days, rows[NUMBER], strict=True)
    }


def one_after_another(folder: Path, exports: Sequence[Path]) -> Imported:
    done = import_source(exports[0], folder)
    for source in exports[1:]:
        done = grow_cohort(source, folder)
    check_chain(folder, done.cohort.labels, to_grow=True)
    return done


@every_format
def test_imports_in_any_order_give_what_one_import_gives(form: Format, draw: random.Random) -> None:
    entries = entries_of(form, draw.getrandbits(31))
    parts = halves(entries, draw.uniform(0.2, 0.8))
    whole = imported(form, as_files(form, parts))
    with tempfile.TemporaryDirectory() as folder:
        map_file = None
        if form.map_text:
            map_file = Path(folder) / "map.toml"
            map_file.write_text(form.map_text, "utf-8")
        sources = []
        for number, part in enumerate(parts):
            source = Path(folder) / f"month{number}"
            for name, content in as_files(form, [part]).items():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).write_bytes(content)
            sources.append(source)
        first, second = draw.sample(sources, 2)
        cohort = Path(folder) / "cohort"
        import_source(first, cohort, map_file=map_file)
        grown = grow_cohort(second, cohort, map_file=map_file)
        assert facts_of(grown.cohort) == whole
        again = grow_cohort(first, cohort, map_file=map_file)
        assert again.changes is not None
        assert again.changes.is_known
        assert again.cohort.digest == grown.cohort.digest


VISITS = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", "01", "1"]), st.integers(1, 60)),
    st.tuples(st.integers(0, 66), st.integers(0, 9000)),
    min_size=2, max_size=10,
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(visits=VISITS, months=st.data())
def test_any_split_and_order_of_tables_gives_the_same_events(
    visits: dict[tuple[str, int], tuple[int, int]], months: st.DataObject
) -> None:
    rows: list[Row] = [(who, day, *values) for (who, day), values in visits.items()]
    month_of = [months.draw(st.integers(0, 2)) for _ in rows]
    parts = [[row for row, m in zip(rows, month_of, strict=True) if m == k] for k in range(3)]
    parts = months.draw(st.permutations([part for part in parts if part]))
    with tempfile.TemporaryDirectory() as folder:
        exports = [export(Path(folder) / str(k), part) for k, part in enumerate(parts)]
        whole = import_source(export(Path(folder) / "all", rows), Path(folder) / "at once").cohort
        grown = one_after_another(Path(folder) / "cohort", exports).cohort
        assert facts_of(grown) == facts_of(whole)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(old=st.integers(0, 66), new=st.integers(0, 66), other=st.integers(0, 66))
def test_the_later_import_corrects_and_history_keeps_what_it_was(
    old: int, new: int, other: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first = export(Path(folder) / "january", [("a", 7, old, 10), ("b", 7, other, 10)])
        second = export(Path(folder) / "february", [("a", 7, new, 10), ("a", 40, other, 10)])
        cohort = Path(folder) / "cohort"
        done = one_after_another(cohort, [first, second])
        expected = {("a", 7): float(new), ("b", 7): float(other), ("a", 40): float(other)}
        assert scores(done.cohort) == expected
        assert done.changes is not None
        assert done.changes.corrected == (old != new)
        if old != new:
            (row,) = pd.read_parquet(cohort / HISTORY_FILE).to_dict("records")
            assert (row["number_before"], row["number_after"]) == (old, new)
            assert (row["change"], row["import"], row["source"]) == ("corrected", 2, "clinic")
            assert any("later import" in problem.found for problem in done.dropped)
        # The export that is corrected already changes nothing, though it is imported last.
        assert scores(grow_cohort(first, cohort).cohort) == expected


def test_a_value_that_cannot_be_read_is_corrected_too(tmp_path: Path) -> None:
    first = export(tmp_path / "january", [("a", 7, 990, 10), ("a", 8, 20, 10)])
    second = export(tmp_path / "february", [("a", 7, 30, 10)])
    done = one_after_another(tmp_path / "cohort", [first, second])
    assert scores(done.cohort) == {("a", 7): 30.0, ("a", 8): 20.0}


def test_subjects_keep_their_numbers_and_whoever_is_held_out_stays_so(tmp_path: Path) -> None:
    first = export(tmp_path / "january", [("m", 7, 30, 10), ("x", 7, 31, 10)])
    before = import_source(first, tmp_path / "cohort").cohort
    number = before.subject_of("x")
    splits = pd.DataFrame({SUBJECT: np.array([number], dtype=np.int64), "split": ["held_out"]})
    splits.to_parquet(tmp_path / "cohort" / meds.subject_splits_filepath, index=False)
    done = grow_cohort(export(tmp_path / "february", [("a", 7, 32, 10)]), tmp_path / "cohort")
    after = read_cohort(tmp_path / "cohort")
    assert after.labels == before.labels | {3: "a"}
    assert after.splits == {number: "held_out"}
    assert any("will be trained on" in problem.found for problem in done.dropped)


@pytest.mark.parametrize(
    ("people", "onset", "field"),
    [
        ([("a", "M", 60)], "", "REHABCAST//SEX"),
        ([("a", "F", 63)], "", "REHABCAST//AGE"),
        ([("a", "F", 60)], "2024-01-03", "REHABCAST//ONSET"),
    ],
)
def test_who_is_somebody_else_is_refused_and_nothing_is_written(
    tmp_path: Path, people: list[Person], onset: str, field: str
) -> None:
    clock = "timestamps"
    one = export(tmp_path / "january", [("a", 7, 30, 10)], [("a", "F", 60)], clock=clock)
    two = export(tmp_path / "february", [("a", 40, 31, 10)], people, clock=clock, onset=onset)
    for number, (first, second) in enumerate([(one, two), (two, one)]):
        folder = tmp_path / f"cohort{number}"
        before = import_source(first, folder).cohort
        with pytest.raises(CohortInvalid) as refused:
            grow_cohort(second, folder)
        assert [problem.field for problem in refused.value.problems] == [field]
        assert refused.value.problems[0].row == 2
        assert read_cohort(folder).digest == before.digest
        assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_birthday_is_no_contradiction(tmp_path: Path) -> None:
    one = export(tmp_path / "january", [("a", 7, 30, 10)], [("a", "F", 60)])
    two = export(tmp_path / "february", [("a", 40, 31, 10)], [("a", "F", 61)])
    both = [
        facts_of(one_after_another(tmp_path / name, pair).cohort)
        for name, pair in (("there", [one, two]), ("back", [two, one]))
    ]
    assert both[0] == both[1]
    assert any(row[2:4] == ("REHABCAST//AGE", "60.000") for row in both[0])


def edited(folder: Path) -> None:
    file = folder / "data" / "0.parquet"
    table = pd.read_parquet(file)
    table.loc[table["numeric_value"] == 30, "numeric_value"] = 31
    table.to_parquet(file, index=False)


def of_an_earlier_version(folder: Path) -> None:
    (folder / "metadata" / "imports.json").unlink()


def with_a_changed_source(folder: Path) -> None:
    (folder / "imports" / "1" / "index.json").write_text("{}")


@pytest.mark.parametrize(
    ("options", "damage", "words"),
    [
        ({"clock": "timestamps"}, None, "counted by"),
        ({"subject": "case"}, None, "nobody can tell who is the same"),
        ({"more": "simulated = true"}, None, "simulated ones"),
        ({}, edited, "its data are not those"),
        ({}, of_an_earlier_version, "earlier version"),
        ({}, with_a_changed_source, "was changed"),
    ],
)
def test_what_cannot_be_added_is_refused_in_a_sentence(
    tmp_path: Path, options: dict[str, str], damage: object, words: str
) -> None:
    folder = tmp_path / "cohort"
    import_source(export(tmp_path / "january", [("a", 7, 30, 10)]), folder)
    if callable(damage):
        damage(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ContractError) as refused:
        grow_cohort(export(tmp_path / "february", [("a", 40, 31, 10)], **options), folder)
    assert words in str(refused.value)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_only_one_import_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    import_source(export(tmp_path / "january", [("a", 7, 30, 10)]), folder)
    second = export(tmp_path / "february", [("a", 40, 31, 10)])
    with held(folder), pytest.raises(ContractError, match="another import into it is running"):
        grow_cohort(second, folder)
    assert scores(grow_cohort(second, folder).cohort)[("a", 40)] == 31.0


def test_the_chain_names_each_source_and_an_old_entry_cannot_be_changed(tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    exports = [export(tmp_path / f"m{n}", [("a", 7 * n, 30 + n, 10)]) for n in (1, 2, 3)]
    one_after_another(folder, exports)
    chain = read_chain(folder)
    assert [entry.number for entry in chain] == [1, 2, 3]
    assert len({entry.source_digest for entry in chain}) == 3
    assert chain[1].changed["values new"] == "fewer than 11"
    file = folder / "metadata" / "imports.json"
    file.write_text(file.read_text().replace(chain[0].source_digest, "0" * 64))
    with pytest.raises(CohortInvalid, match="does not follow"):
        read_chain(folder)


GROW = """
from pathlib import Path
from features.importing import grow_cohort

def work(source, cohort):
    grow_cohort(Path(source), Path(cohort))
"""


@pytest.mark.parametrize("name", ["cohort", "ours [1]"])
def test_what_a_killed_import_left_is_gone_with_the_next(tmp_path: Path, name: str) -> None:
    folder, second = tmp_path / name, tmp_path / "february" / "map.toml"
    import_source(export(tmp_path / "january", [("a", 7, 30, 10)]), folder)
    export(second.parent, [("b", 40, 31, 10)])
    for left in (f".{name}.00ff.grown", f"..{name}.00ff.grown.11ee.draft"):
        (tmp_path / left / "data").mkdir(parents=True)
    grow_cohort(second, folder)
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_killed_at_any_moment_the_old_or_the_new_cohort_is_there_whole(tmp_path: Path) -> None:
    folder, second = tmp_path / "cohort", tmp_path / "february" / "map.toml"
    old = import_source(export(tmp_path / "january", [("a", 7, 30, 10)]), folder).cohort.digest
    shutil.copytree(folder, tmp_path / "uninterrupted")
    export(second.parent, [(f"p{n}", 40, 31, 10) for n in range(300)])
    seen, killed = set(), 0
    with Forked(GROW) as runs:
        runs.start(second, tmp_path / "uninterrupted")
        begun = time.monotonic()
        assert runs.ended() == 0
        whole_s = time.monotonic() - begun
        for share in (0.0, 0.2, 0.4, 0.6, 0.8):
            pid = runs.start(second, folder)
            time.sleep(share * whole_s)
            killed += runs.killed(pid)
            cohort = read_cohort(folder)
            check_chain(folder, cohort.labels, to_grow=True)
            seen.add(cohort.digest)
    assert killed >= 1, "it was done before it could be killed"
    done = grow_cohort(second, folder)
    assert seen <= {old, done.cohort.digest}
    assert [path.name for path in tmp_path.glob(".*")] == []
