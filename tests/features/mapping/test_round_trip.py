"""However a hospital writes its tables, the confirmed map reads the same events from them."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, SUBJECT
from contracts.errors import CohortInvalid, ContractError
from contracts.naming.open_points import open_points
from features.importing import import_source
from features.mapping.answers import Place, answered
from features.mapping.findings import Finding
from features.mapping.proposal import propose_map
from features.mapping.writing import map_text
from features.sources.column_map import read_column_map

PEOPLE = 14
HEADERS = {
    "de": ("Pat.-Nr.", "Ereignisdatum", "Aufnahme", "Alter", "Geschlecht", "Datum", "Barthel-Index",
           "Gehgeschwindigkeit (m/s)", "w", "m"),
    "tr": ("Hasta No", "İnme tarihi", "Yatış tarihi", "Yaş", "Cinsiyet", "Tarih", "Barthel İndeksi",
           "yürüme hızı (m/s)", "kadın", "erkek"),
    "fr": ("patient", "date de l'AVC", "date d'admission", "âge", "sexe", "date", "indice de Barthel",
           "vitesse de marche (m/s)", "femme", "homme"),
    "es": ("paciente", "fecha del ictus", "fecha de ingreso", "edad", "sexo", "fecha",
           "índice de Barthel", "velocidad de la marcha (m/s)", "mujer", "hombre"),
    "en": ("Patient ID", "stroke date", "admission", "age", "sex", "visit date", "Barthel index",
           "gait speed (m/s)", "female", "male"),
}  # fmt: skip
ENCODINGS = {"de": "cp1252", "tr": "cp1254", "fr": "cp1252", "es": "mac_roman", "en": "ascii"}


def write(
    folder: Path, language: str, encoding: str, separator: str, decimal: str, form: str
) -> None:
    head = HEADERS[language]
    people, scores = [], []
    for number in range(PEOPLE):
        name = f"{number:03d}"
        onset = pd.Timestamp("2024-02-01") + pd.Timedelta(days=3 * number)
        admission = onset + pd.Timedelta(days=5)
        sex = head[8] if number % 3 else head[9]
        people.append([name, onset.strftime(form), admission.strftime(form), 50 + number, sex])
        for week in (0, 12):
            day = admission + pd.Timedelta(weeks=week)
            speed = f"{0.31 + 0.07 * number + week / 100:.2f}".replace(".", decimal)
            scores.append([name, day.strftime(form), 5 * number, speed])
    for file, columns, table in (
        ("people.csv", head[:5], people), ("scores.csv", (head[0], *head[5:8]), scores),
    ):  # fmt: skip
        frame = pd.DataFrame(table, columns=list(columns))
        frame.to_csv(folder / file, sep=separator, index=False, encoding=encoding)


def confirm(place: Place, finding: Finding) -> str:
    """Answer as a person who sees that every first suggestion is right."""
    return finding.options[0].value


def events_of(folder: Path, cohort: Path) -> pd.DataFrame:
    proposal = answered(propose_map([folder], folder), confirm)
    text = map_text(proposal)
    assert open_points(tomllib.loads(text)) == []
    (folder / "map.toml").write_text(text, "utf-8")
    events = import_source(folder / "map.toml", cohort).cohort.events
    return events.sort_values([SUBJECT, CODE, "time"]).reset_index(drop=True)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "source").mkdir()
    write(folder / "source", "en", "utf-8", ",", ".", "%Y-%m-%d")
    events = events_of(folder / "source", folder / "cohort")
    assert events[SUBJECT].nunique() == PEOPLE
    assert events[CODE].nunique() == 6
    return events


@settings(
    max_examples=15, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    language=st.sampled_from(sorted(HEADERS)),
    utf_8=st.booleans(),
    separator=st.sampled_from(";\t|,"),
    decimal=st.sampled_from(".,"),
    form=st.sampled_from(["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%y"]),
)
def test_the_form_of_tables_changes_no_event(
    tmp_path: Path, plain: pd.DataFrame, language: str, utf_8: bool, separator: str,
    decimal: str, form: str,
) -> None:  # fmt: skip
    folder = tmp_path / "source"
    shutil.rmtree(tmp_path)
    folder.mkdir(parents=True)
    encoding = "utf-8" if utf_8 else ENCODINGS[language]
    write(folder, language, encoding, separator, decimal, form)
    pd.testing.assert_frame_equal(events_of(folder, tmp_path / "cohort"), plain)


def test_a_map_is_refused_until_every_point_is_decided_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    write(folder, "de", "cp1252", ";", ",", "%d.%m.%Y")
    file = folder / "map.toml"
    file.write_text(map_text(propose_map([folder], folder)), "utf-8")
    counts = []
    while True:
        try:
            read_column_map(file)
        except CohortInvalid as refused:
            counts.append(len(refused.problems))
        else:
            break
        with pytest.raises(CohortInvalid, match="nobody has confirmed this guess"):
            import_source(file, tmp_path / "cohort")
        assert not (tmp_path / "cohort").exists()
        text = file.read_text("utf-8")
        file.write_text(
            re.sub(r"(?:, )?\bconfirm = true(?= }|  #|\n[^#])", "", text, count=1), "utf-8"
        )
    assert counts == list(range(len(counts), 0, -1))
    assert len(counts) > 5
    assert import_source(file, tmp_path / "cohort").cohort.events[SUBJECT].nunique() == PEOPLE


HOSTILE = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=20
)


@settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    names=st.lists(HOSTILE, min_size=2, max_size=4, unique=True),
    cells=st.lists(HOSTILE, max_size=4),
)
def test_no_name_and_no_cell_breaks_the_map(
    tmp_path: Path, names: list[str], cells: list[str]
) -> None:
    frame = pd.DataFrame(
        [[f"P{n}", "7", *cells][: len(names) + 1] for n in range(3)],
        columns=["id", *names][: min(len(names) + 1, len(cells) + 2)],
    )
    (tmp_path / "a.csv").write_text(frame.to_csv(index=False), "utf-8", newline="")
    refused = refusal_of(lambda: propose_map([tmp_path / "a.csv"], tmp_path))
    if refused:
        assert ": " in refused
        return
    proposal = propose_map([tmp_path / "a.csv"], tmp_path)
    (tmp_path / "map.toml").write_text(map_text(proposal), "utf-8")
    refused = refusal_of(lambda: read_column_map(tmp_path / "map.toml"))
    # What is open is said; a table of nothing known has no columns, which the map's own check says.
    said = ("", "has no answer yet", "nobody has confirmed", "columns is empty", "tables is empty")
    assert any(words in refused if words else not refused for words in said), refused


def refusal_of(act: Callable[[], object]) -> str:
    """Return in which words something is refused; empty where it is not."""
    try:
        act()
    except ContractError as refused:
        return str(refused)
    return ""
