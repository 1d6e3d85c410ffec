"""A file that is given twice counts once, whatever the names; nothing is left out unsaid."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import CohortInvalid
from features.importing import Imported, copies, import_source
from features.importing.collect import source_files, subject_of
from features.importing.copies import distinct_files
from features.importing.import_map import ImportMap

Write = Callable[..., None]


def recording(awd: Write, file: Path, seed: int = 0) -> None:
    awd(file, "", np.random.default_rng(seed).integers(100, 900, 1440), serial=f"V{seed}")


def content(done: Imported) -> str:
    return done.cohort.digest


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, awd: Write) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("once")
    recording(awd, folder / "source" / "p1" / "a.AWD", 1)
    recording(awd, folder / "source" / "p1" / "b.AWD", 2)
    return folder / "source", content(import_source(folder / "source", folder / "cohort"))


NAMES = st.lists(
    st.text("abz019 ()-", min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=4,
    unique=True,
)  # fmt: skip


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(NAMES, st.booleans(), st.booleans())
def test_copies_of_any_name_change_nothing(
    once: tuple[Path, str],
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
    packed: bool,
    in_folder: bool,
) -> None:
    source, digest = once
    folder = tmp_path_factory.mktemp("copies")
    shutil.copytree(source, folder / "source")
    bytes_of = (source / "p1" / "a.AWD").read_bytes()
    for name in names:
        target = folder / "source" / "p1" / ("again" if in_folder else "") / f"{name}.copy"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(gzip.compress(bytes_of) if packed else bytes_of)
    done = import_source(folder / "source", folder / "cohort")
    assert content(done) == digest
    notes = [problem for problem in done.dropped if problem.cause.startswith("copies of files")]
    assert sum(note.count for note in notes) == len(names)
    assert not any(note.needs_action for note in notes)
    assert len(done.read) == 2


def test_only_files_of_one_size_are_read_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"a": "x" * 10, "b": "y" * 10, "c": "z" * 11, "d": "", "e": ""}.items():
        (tmp_path / name).write_text(text)
    hashed: list[str] = []
    monkeypatch.setattr(copies, "_digest", lambda path: hashed.append(path.name))
    files, _ = source_files(tmp_path, ImportMap())
    distinct = distinct_files(files, ImportMap())
    assert hashed == [], "their first bytes differ already"
    assert len(distinct.files) == 5


def test_the_same_bytes_of_two_subjects_are_read_for_both_and_said(
    tmp_path: Path, awd: Write
) -> None:
    for subject in ("01", "1", "2"):
        recording(awd, tmp_path / "source" / subject / "a.AWD", 7 if subject != "2" else 8)
    done = import_source(tmp_path / "source", tmp_path / "cohort")
    assert done.cohort.labels == {1: "01", 2: "1", 3: "2"}
    (warning,) = [p for p in done.dropped if p.cause == "one recording of several subjects"]
    assert warning.file == "01/a.AWD"
    assert "'01', '1'" in warning.found
    assert "1/a.AWD" in warning.found


def test_identifiers_within_files_count_and_not_their_folders(tmp_path: Path) -> None:
    line = (
        '{"resourceType":"Observation","id":"o1","status":"final","subject":{"reference":'
        '"Patient/p1"},"effectiveDateTime":"2024-03-05","code":{"coding":[{"system":'
        '"http://loinc.org","code":"41950-7"}]},"valueQuantity":{"value":900,"unit":"/d",'
        '"system":"http://unitsofmeasure.org","code":"/d"}}\n'
    )
    for folder in ("one", "two"):
        (tmp_path / "source" / folder).mkdir(parents=True)
        (tmp_path / "source" / folder / "all.ndjson").write_text(line)
    done = import_source(tmp_path / "source", tmp_path / "cohort")
    assert set(done.cohort.labels.values()) == {"p1"}
    assert not [p for p in done.dropped if p.cause == "one recording of several subjects"]


def test_a_copy_keeps_what_the_map_declares_of_one_of_its_names(tmp_path: Path) -> None:
    for name in ("p/a.csv", "p/copy_left.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("same")
    plan = ImportMap(placement={"*_left*": "left wrist"})
    files, _ = source_files(tmp_path, plan)
    (kept,) = distinct_files(files, plan).files
    assert (kept.name, kept.placement) == ("p/copy_left.csv", "left wrist")


def test_copies_that_are_declared_as_different_things_are_not_read(
    tmp_path: Path, awd: Write, import_map: Callable[[str], Path]
) -> None:
    for name in ("left", "right", "back"):
        recording(awd, tmp_path / "source" / "p" / f"{name}.AWD", 4 if name == "back" else 3)
    plan = import_map('[placement]\n"*left*" = "left wrist"\n"*right*" = "right wrist"\n')
    done = import_source(tmp_path / "source", tmp_path / "cohort", map_file=plan)
    assert set(done.read) == {"p/back.AWD"}
    assert {problem.file for problem in done.unreadable} == {"p/left.AWD", "p/right.AWD"}


def test_links_are_followed_and_broken_ones_named(tmp_path: Path, awd: Write) -> None:
    source = tmp_path / "source"
    recording(awd, tmp_path / "elsewhere" / "a.AWD", 1)
    recording(awd, source / "02" / "a.AWD", 2)
    (source / "01").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (source / "02" / "again.AWD").symlink_to(source / "02" / "a.AWD")
    (source / "02" / "around").symlink_to(source, target_is_directory=True)
    (source / "02" / "lost.AWD").symlink_to(tmp_path / "nowhere")
    os.mkfifo(source / "02" / "pipe")
    done = import_source(source, tmp_path / "cohort")
    assert set(done.read) == {"01/a.AWD", "02/a.AWD"}
    assert [problem.file for problem in done.unreadable] == ["02/lost.AWD"]


def test_hidden_files_are_not_read_and_counted(tmp_path: Path, awd: Write) -> None:
    source = tmp_path / "source"
    recording(awd, source / "p" / "a.AWD", 1)
    recording(awd, source / "p" / "._a.AWD", 2)
    recording(awd, source / ".trash" / "b.AWD", 3)
    done = import_source(source, tmp_path / "cohort")
    assert set(done.read) == {"p/a.AWD"}
    (note,) = done.dropped
    assert note.found.startswith("2 hidden")
    assert import_source(source / "p" / "._a.AWD", tmp_path / "named").read == ("._a.AWD",)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("01.csv", "01"), ("P.01.csv", "P.01"), ("P.02.csv.gz", "P.02"), ("a", "a"),
        ("A copy.fit", "A copy"), ("7.gz", "7"),
    ],
)  # fmt: skip
def test_a_files_name_without_its_extension_names_its_subject(name: str, subject: str) -> None:
    assert subject_of(name) == subject


def test_a_map_and_a_people_table_in_the_source_are_no_recordings(
    tmp_path: Path, awd: Write
) -> None:
    source = tmp_path / "source"
    recording(awd, source / "p" / "a.AWD", 1)
    (source / "who.csv").write_text("subject,age\np,70\n")
    (source / "plan.toml").write_text('people = "who.csv"\n')
    done = import_source(source, tmp_path / "cohort", map_file=source / "plan.toml", strict=True)
    assert (done.unreadable, done.dropped) == ((), ())


def test_strict_writes_nothing_where_anything_was_left_out_but_for_mere_notes(
    tmp_path: Path, awd: Write
) -> None:
    source = tmp_path / "source"
    recording(awd, source / "p" / "a.AWD", 1)
    shutil.copy(source / "p" / "a.AWD", source / "p" / "a copy.AWD")
    import_source(source, tmp_path / "with a note", strict=True)
    (source / "p" / "bad.bin").write_bytes(b"\1\2\3" * 100)
    (source / "p" / "empty.gt3x").write_bytes(b"")
    with pytest.raises(CohortInvalid) as caught:
        import_source(source, tmp_path / "cohort", strict=True)
    assert {problem.file for problem in caught.value.problems} == {"p/bad.bin", "p/empty.gt3x"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "with a note"]
