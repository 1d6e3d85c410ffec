"""What must hold for every format, however its statements are distributed over files."""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, NUMBER, SUBJECT, TEXT, TIME
from features.importing import import_source
from tests.features.importing.documents import FORMATS, Entry, Format

every_format = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)

Facts = set[tuple[object, ...]]


def entries_of(form: Format, seed: int, people: Sequence[str] = ("p1", "p2")) -> list[Entry]:
    generator = np.random.default_rng(seed)
    return [entry for person in people for entry in form.draw(generator, person)]


def imported(form: Format, files: Mapping[str, bytes]) -> Facts:
    """Import files and return what the cohort holds, by the labels of its subjects."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        for name, content in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(content)
        map_file = None
        if form.map_text:
            map_file = Path(folder) / "map.toml"
            map_file.write_text(form.map_text, "utf-8")
        done = import_source(source, Path(folder) / "cohort", map_file=map_file)
        report = json.loads((Path(folder) / "cohort" / "metadata" / "import.json").read_text())
    labels = {int(number): label for number, label in report["subjects"].items()}
    rows = done.cohort.events[[SUBJECT, TIME, CODE, NUMBER, TEXT]].itertuples(index=False)
    return {
        (labels[subject], str(time), str(code), f"{float(number):.3f}", str(text))
        for subject, time, code, number, text in rows
    }


@cache
def whole(form: Format, seed: int) -> Facts:
    """Return what one file of each person gives; of the seeds that several tests draw, once."""
    return imported(form, as_files(form, [entries_of(form, seed)]))


def as_files(
    form: Format, parts: Sequence[Sequence[Entry]], prefix: str = "part"
) -> dict[str, bytes]:
    """Write each part as a file, in a folder for each person where the format names nobody."""
    files = {}
    for number, part in enumerate(parts):
        if form.names_people:
            files[f"{prefix}{number}{form.suffix}"] = form.write(part)
            continue
        for person in sorted({entry.person for entry in part}):
            own = [entry for entry in part if entry.person == person]
            files[f"{person}/{prefix}{number}{form.suffix}"] = form.write(own)
    return files


def halves(entries: list[Entry], at: float) -> list[list[Entry]]:
    """Split each person's entries at about the same share of them."""
    parts: list[list[Entry]] = [[], []]
    for person in sorted({entry.person for entry in entries}):
        own = [entry for entry in entries if entry.person == person]
        cut = min(max(int(at * len(own)), 1), len(own) - 1)
        parts[0] += own[:cut]
        parts[1] += own[cut:]
    return parts


@every_format
def test_the_order_of_entries_decides_nothing(form: Format, draw: random.Random) -> None:
    entries = entries_of(form, seed := draw.getrandbits(31))
    mixed = list(entries)
    if not form.has_order:
        draw.shuffle(mixed)
    assert imported(form, as_files(form, [mixed])) == whole(form, seed)


@every_format
def test_a_source_that_is_split_over_files_is_the_same(form: Format, draw: random.Random) -> None:
    entries = entries_of(form, seed := draw.getrandbits(31))
    parts = halves(entries, draw.uniform(0.1, 0.9))
    assert imported(form, as_files(form, parts)) == whole(form, seed)
    # The same parts under names that sort the other way round.
    assert imported(form, as_files(form, parts[::-1], prefix="other")) == whole(form, seed)


@every_format
def test_a_source_given_twice_counts_once(form: Format, draw: random.Random) -> None:
    entries = entries_of(form, seed := draw.getrandbits(31))
    files = as_files(form, [entries])
    copies = as_files(form, [entries], prefix="a copy of ")
    assert imported(form, files | copies) == whole(form, seed)
    # Exports of an earlier day beside the one that holds it, which is read before or after.
    earlier = [halves(entries, draw.uniform(0.1, 0.9))[0]]
    before, after = (as_files(form, earlier, prefix=name) for name in ("earlier", "zz earlier"))
    assert imported(form, files | before) == whole(form, seed)
    assert imported(form, files | after) == whole(form, seed)


@every_format
def test_what_is_recorded_some_days_later_is_some_days_later(
    form: Format, draw: random.Random
) -> None:
    entries = entries_of(form, seed := draw.getrandbits(31))
    early, days = whole(form, seed), draw.randint(1, 200)
    late = imported(form, as_files(form, [[entry.shifted(days) for entry in entries]]))

    def moved(time: object) -> str:
        return str(pd.Timestamp(str(time)) + pd.Timedelta(days=days))

    assert {(who, moved(time), *rest) for who, time, *rest in early} == late


@every_format
def test_another_patient_changes_nobody(form: Format, draw: random.Random) -> None:
    entries = entries_of(form, seed := draw.getrandbits(31))
    other = entries_of(form, seed + 1, people=("007",))
    with_other = imported(form, as_files(form, [entries, other]))
    assert {row for row in with_other if row[0] != "007"} == whole(form, seed)
    assert any(row[0] == "007" for row in with_other)


REAL = (
    "ggirread/ax3_testfile.cwa",
    "ggirread/GENEActiv_testfile.bin",
    "ggirread/ActiGraph61.csv",
    "gt3x/TAS1H30182785_2019-09-17.gt3x",
    "fit/MonitoringFile.fit",
    "fit/garmin-fenix-5-walk.fit",
)
"""A real file of each binary format, which nothing here could write."""


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_counts_once_under_any_name(name: str, samples: Path) -> None:
    content = (samples / name).read_bytes()
    shifted = Format("real", "", lambda *_: [], lambda *_: b"", map_text="dates_shifted = true")
    once = imported(shifted, {f"p1/{Path(name).name}": content})
    assert once
    copies = {f"p1/{prefix}": content for prefix in ("a", "zz")}
    packed = {"p1/packed.gz": gzip.compress(content)}
    assert imported(shifted, copies | packed) == once
