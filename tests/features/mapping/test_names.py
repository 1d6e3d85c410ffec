"""Names of instruments in six languages, and what they may mean."""

from __future__ import annotations

import csv
import io
import tomllib
from pathlib import Path

import pytest

from contracts.vocabulary import shipped
from features.mapping.names import (
    LANGUAGES,
    candidates,
    instruments,
    is_called,
    label_meanings,
    squeezed,
    unit_of,
)

ROOT = Path(__file__).resolve().parents[3]
NOTED = ROOT.parent / "shared" / "research" / "instruments.csv"
FILE = ROOT / "features" / "mapping" / "instruments.toml"
OTHER_CODES = {"CAHAI_13": "REHABCAST//CAHAI"}
NO_NAMES = {"FFbH (not the same)", "ROM flexion"}


def test_the_names_are_those_of_the_table_of_instruments() -> None:
    if not NOTED.exists():
        pytest.skip("the table of instruments (../shared/research) is not here")
    rows = list(csv.DictReader(io.StringIO(NOTED.read_text("utf-8"), newline="")))
    kept = {row["code"]: row for row in tomllib.loads(FILE.read_text("utf-8"))["instrument"]}
    codes = [OTHER_CODES.get(row["key"], f"REHABCAST//{row['key']}") for row in rows]
    assert list(kept) == codes
    for code, row in zip(codes, rows, strict=True):
        for language in LANGUAGES:
            column = "names_ur_roman" if language == "ur" else f"names_{language}"
            names = [n.strip() for n in row[column].split("|") if n.strip()]
            assert kept[code].get(language, []) == [n for n in names if n not in NO_NAMES]
        headers = [header.strip() for header in row["headers"].split(",")]
        assert set(kept[code]["headers"]) <= set(headers)
        if not code.startswith("REHABCAST//GG_"):
            assert kept[code]["headers"] == headers


def test_every_name_is_of_a_code_that_is_shipped() -> None:
    words = tomllib.loads((FILE.parent / "words.toml").read_text("utf-8"))
    codes = {code for code, _ in instruments()} | {row["code"] for row in words["column"]}
    assert codes <= set(shipped())
    labels = {label for entry in shipped().values() for label in entry.labels}
    assert set(words["labels"]) <= labels


def test_each_instrument_is_known_by_each_of_its_names() -> None:
    for code, names in instruments():
        for name in names:
            assert code in {c.code for c in candidates(name)}, name


KNOWN = {
    "Barthel-Index Aufnahme": "REHABCAST//BARTHEL",
    "BBS_T2": "REHABCAST//BERG",
    "6MWT (m)": "REHABCAST//SIX_MINUTE_WALK",
    "Gehgeschwindigkeit": "REHABCAST//WALK_TEST_SPEED",
    "vitesse de marche": "REHABCAST//WALK_TEST_SPEED",
    "Berg Denge Ölçeği": "REHABCAST//BERG",
    "LOINC 41950-7": "LOINC//41950-7",
    "Cinsiyet": "REHABCAST//SEX",
    "Alter (Jahre)": "REHABCAST//AGE",
    "Schrittzahl": "LOINC//41950-7",
}


@pytest.mark.parametrize("header", KNOWN)
def test_a_header_is_known_however_it_is_written(header: str) -> None:
    assert candidates(header)[0].code == KNOWN[header]


@pytest.mark.parametrize("header", ["", "???", "x", "Alltagshand-Score", "Raumtemperatur", "Q17b"])
def test_a_header_that_means_nothing_known_is_no_instrument(header: str) -> None:
    assert candidates(header) == ()


def test_units_and_roles_are_read_from_names() -> None:
    assert unit_of("Gehgeschwindigkeit (m/s)") == "m/s"
    assert unit_of("grip [lbs]") == "[lb_av]"
    assert unit_of("RMSSD (ms)") == "ms"
    assert unit_of("therapy") == ""
    assert is_called("Pat.-Nr.", "subject")
    assert is_called("GEBURTSDATUM", "identifying")
    assert label_meanings("weiblich") == ("female",)
    assert squeezed("6-MWT") == squeezed("6 mwt")
