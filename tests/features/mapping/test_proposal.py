"""What a proposed map says of tables: proved where the cells prove it, asked where they don't."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import CohortInvalid, ContractError
from features.mapping.findings import LeftOut, Note, Standing
from features.mapping.proposal import propose_map
from features.mapping.writing import map_text
from features.sources.formats import export_of
from tests.features.mapping.conftest import Propose, column_of, table_of
from tests.refusals import refuses, same_as_kept

AGE, SEX, FM = "REHABCAST//AGE", "REHABCAST//SEX", "REHABCAST//FUGL_MEYER_UE"


def rows(*cells: str, count: int = 12) -> str:
    """Return rows of several people, each with these cells after the identifier."""
    return "".join(f"P{n};{';'.join(cells)}\n" for n in range(count))


def dated(*dates: str) -> str:
    return "id;Datum;FMA_UE\n" + "".join(f"P{n};{date};{20 + n}\n" for n, date in enumerate(dates))


def form_of(propose: Propose, *dates: str) -> tuple[Standing, str, tuple[str, ...]]:
    found = table_of(propose(scores=dated(*dates)), "scores").finding("date_format")
    assert found is not None
    return found.standing, found.value, tuple(option.value for option in found.options)


def test_an_order_of_dates_is_decided_where_any_row_proves_it(propose: Propose) -> None:
    assert form_of(propose, "03.04.2025", "13.04.2025")[:2] == (Standing.PROVED, "DD.MM.YYYY")
    assert form_of(propose, "03/04/2025", "03/14/2025")[:2] == (Standing.PROVED, "MM/DD/YYYY")
    assert form_of(propose, "3.4.2025 8:05", "30.4.2025 17:15")[1] == "DD.MM.YYYY HH:mm"
    assert form_of(propose, "2025/04/03", "2025/04/30")[1] == "YYYY/MM/DD"
    assert form_of(propose, "03-Apr-2025", "04-May-2025")[1] == "DD-MMM-YYYY"


def test_an_order_of_dates_that_no_row_proves_is_asked(propose: Propose) -> None:
    standing, value, options = form_of(propose, "03.04.2025", "05.06.2025", "11.12.2024")
    assert (standing, value) == (Standing.ASKED, "?")
    assert set(options) == {"DD.MM.YYYY", "MM.DD.YYYY"}
    assert form_of(propose, "03/04/25", "05/06/25")[0] is Standing.ASKED


def test_dates_whose_rows_prove_different_orders_are_asked(propose: Propose) -> None:
    standing, _, options = form_of(propose, *["13.04.2025"] * 3, *["04.13.2025"] * 2, "01.02.2025")
    assert standing is Standing.ASKED
    assert options
    assert form_of(propose, *[f"{d}.04.2025" for d in range(10, 31)], "31.04.2025")[:2] == (
        Standing.PROVED, "DD.MM.YYYY",
    )  # fmt: skip


def test_another_column_of_the_table_is_a_guess_and_no_proof(propose: Propose) -> None:
    text = "id;onset;visit date;FMA_UE\nP1;03.04.2025;23.04.2025;20\nP2;05.06.2025;24.06.2025;30\n"
    onset = column_of(propose(scores=text), "onset")
    form = onset.finding("date_format")
    assert form is not None
    assert (form.standing, form.value) == (Standing.GUESSED, "DD.MM.YYYY")


def test_iso_dates_need_no_declaration(propose: Propose) -> None:
    found = propose(scores=dated("2025-04-03", "2025-04-13T09:30:00+02:00"))
    assert table_of(found, "scores").finding("date_format") is None


def decimal_of(propose: Propose, *cells: str) -> tuple[Standing, str] | None:
    text = "id;Datum;Gehgeschwindigkeit;Schritte\n" + "".join(
        f"P{n};2025-04-{n + 10};{speed};{steps}\n"
        for n, (speed, steps) in enumerate(zip(cells[::2], cells[1::2], strict=True))
    )
    found = table_of(propose(scores=text), "scores").finding("decimal")
    return None if found is None else (found.standing, found.value)


def test_a_decimal_comma_is_decided_where_any_cell_proves_it(propose: Propose) -> None:
    assert decimal_of(propose, "1,234", "4.512", "0,5", "3.001") == (Standing.PROVED, ",")
    assert decimal_of(propose, "1,234", "", "1,5", "") == (Standing.PROVED, ",")
    assert decimal_of(propose, "1.25", "4512", "0.5", "3001") is None


def test_a_sign_that_may_stand_before_decimals_or_between_thousands_is_asked(
    propose: Propose,
) -> None:
    assert decimal_of(propose, "1,234", "", "1,105", "") == (Standing.ASKED, "?")
    assert decimal_of(propose, "1", "4.512", "2", "3.001") == (Standing.ASKED, "?")


def test_the_likelier_meaning_of_a_sign_stands_first_by_the_range_of_what_it_measures(
    propose: Propose,
) -> None:
    text = "id;Datum;Gehgeschwindigkeit\n" + "".join(
        f"P{n};2025-04-10;1,{105 + n}\n" for n in range(12)
    )
    proposal = propose(scores=text)
    found = table_of(proposal, "scores").finding("decimal")
    assert found is not None
    assert (found.standing, [o.value for o in found.options]) == (Standing.ASKED, [",", "."])
    code = column_of(proposal, "Gehgeschwindigkeit").finding("code")
    assert code is not None
    assert code.standing is Standing.GUESSED


def test_facts_in_a_long_table_are_read_beside_its_names(propose: Propose) -> None:
    text = "id;date;test;value;Geschlecht;Hausarzt\n" + "".join(
        f"P{n};2025-04-10;{name};{20 + n};w;Dr. Secret{n}\n"
        for n in range(30)
        for name in ("FMA-UE", "Berg")
    )
    proposal = propose(scores=text)
    assert [c.column for c in proposal.tables[0].columns] == ["FMA-UE", "Berg"]
    assert proposal.tables[1].finding("names_in") is None
    assert column_of(proposal, "Geschlecht").finding("code") is not None
    assert column_of(proposal, "Hausarzt").left_out is LeftOut.FREE_TEXT


def test_columns_with_different_signs_are_asked_and_named(propose: Propose) -> None:
    text = "id;Datum;Gehgeschwindigkeit;Schlaf\nP1;2025-04-10;1,25;7.5\nP2;2025-04-11;1,5;6.25\n"
    proposal = propose(scores=text)
    found = table_of(proposal, "scores").finding("decimal")
    assert found is not None
    assert found.standing is Standing.ASKED
    assert {r.facts for o in found.options for r in o.reasons} == {
        ("Gehgeschwindigkeit",), ("Schlaf",),
    }  # fmt: skip


def test_times_in_utc_ask_for_the_zone(propose: Propose) -> None:
    found = propose(scores=dated("2025-04-03T08:00Z", "2025-04-13T08:00Z"))
    zone = table_of(found, "scores").finding("time_zone")
    assert zone is not None
    assert zone.value == "?"
    found = propose(scores=dated("2025-04-03T08:00+03:00", "2025-04-13T08:00+02:00"))
    assert table_of(found, "scores").finding("time_zone") is None


def test_an_instrument_is_a_guess_by_its_name_and_its_range(propose: Propose) -> None:
    code = column_of(propose(scores=dated("2025-04-03", "2025-04-13")), "FMA_UE").finding("code")
    assert code is not None
    assert (code.standing, code.value) == (Standing.GUESSED, FM)


def test_an_instrument_with_values_outside_its_range_is_asked(propose: Propose) -> None:
    text = "id;Datum;FMA_UE\n" + "".join(f"P{n};2025-04-10;{60 + 4 * n}\n" for n in range(12))
    code = column_of(propose(scores=text), "FMA_UE").finding("code")
    assert code is not None
    assert (code.standing, code.value) == (Standing.ASKED, "?")
    assert "values lie outside its range" in map_text(propose(scores=text))


def test_another_form_of_an_instrument_is_proposed_where_only_it_fits(propose: Propose) -> None:
    text = "id;Datum;Barthel\n" + "".join(f"P{n};2025-04-10;{5 + n}\n" for n in range(14))
    code = column_of(propose(scores=text), "Barthel").finding("code")
    assert code is not None
    assert code.options[0].value == "REHABCAST//BARTHEL_20"
    assert code.standing is Standing.GUESSED


def test_the_same_instrument_by_its_loinc_code_is_proved(propose: Propose) -> None:
    text = "id;Datum;41950-7\n" + "".join(f"P{n};2025-04-10;{4000 + n}\n" for n in range(12))
    code = column_of(propose(scores=text), "41950-7").finding("code")
    assert code is not None
    assert (code.standing, code.value) == (Standing.PROVED, "LOINC//41950-7")


def test_labels_are_proved_by_their_word_and_asked_without_one(propose: Propose) -> None:
    text = "id;Geschlecht;Alter;Aufnahme\n" + "".join(
        f"P{n};{'w' if n % 2 else 'x'};{60 + n};2025-01-{n + 10}\n" for n in range(12)
    )
    findings = [f for f in column_of(propose(people=text), "Geschlecht").findings]
    labels = {f.about: (f.standing, f.value) for f in findings if f.key == "labels"}
    assert labels == {"w": (Standing.PROVED, "female"), "x": (Standing.ASKED, "?")}


def test_missing_codes_and_words_among_numbers_are_in_the_map(propose: Propose) -> None:
    cells = ["20", "33", "k.A.", "nicht testbar", "999", "45", *map(str, range(10, 30))]
    text = "id;Datum;FMA_UE\n" + "".join(f"P{n};2025-04-10;{c}\n" for n, c in enumerate(cells))
    column = column_of(propose(scores=text), "FMA_UE")
    missing = {f.about: f.standing for f in column.findings if f.key == "missing"}
    assert missing == {
        "k.A.": Standing.PROVED, "nicht testbar": Standing.GUESSED, "999": Standing.GUESSED,
    }  # fmt: skip


def test_a_long_table_is_known_by_what_its_names_are(propose: Propose) -> None:
    text = "Kennung;Tag;Skala;Wert\n" + "".join(
        f"P{n};{day};{name};{value}\n"
        for n in range(12)
        for day in (3, 40)
        for name, value in (("FMA-UE", 20 + n), ("Barthel", 50), ("Raumnummer", 7))
    )
    proposal = propose(scores=text)
    table = table_of(proposal, "scores")
    keys = {f.key: (f.standing, f.value) for f in table.findings}
    assert keys["names_in"] == (Standing.PROVED, "Skala")
    assert keys["values_in"] == (Standing.PROVED, "Wert")
    assert proposal.findings[0].value == "days since onset"
    codes = {c.column: c.finding("code") for c in table.columns}
    assert codes["FMA-UE"] is not None
    assert codes["Raumnummer"] is None


def test_who_somebody_is_never_reaches_the_map(propose: Propose) -> None:
    text = "id;Name;Geburtsdatum;Telefon;Hausarzt;Bemerkung;Alter;Aufnahme\n" + "".join(
        f"P{n};Yilmaz{n};0{n % 9 + 1}.05.1950;0301234{n};Dr. Secret;geht mit Hilfe von Frau S{n};"
        f"{61 + n};{n + 10}.01.2025\n"
        for n in range(8)
    )
    proposal = propose(people=text)
    written = map_text(proposal)
    for secret in ("Yilmaz", "1950", "0301234", "Secret", "Frau S", "P1", "61", "68"):
        assert secret not in written, secret
    out = {c.column: c.left_out for t in proposal.tables for c in t.columns if c.left_out}
    assert out["Name"] is out["Geburtsdatum"] is out["Telefon"] is LeftOut.IDENTIFIES
    assert out["Bemerkung"] is LeftOut.FREE_TEXT
    assert "Dr. Secret" not in repr(proposal)
    assert "Yilmaz" not in repr(proposal)


def test_a_range_is_shown_of_eleven_people_and_never_of_ten(propose: Propose) -> None:
    for people, shown in ((10, False), (11, True)):
        text = "id;Datum;Kraxelindex\n" + "".join(
            f"P{n};2025-04-10;{31 + n}\n" for n in range(people)
        )
        column = column_of(propose(scores=text), "Kraxelindex")
        assert column.left_out is LeftOut.NUMBER
        assert ("31 to" in map_text(propose(scores=text))) is shown


def test_what_is_lacking_is_said(propose: Propose) -> None:
    notes = {note.note for note in propose(scores=dated("2025-04-03", "2025-04-13")).notes}
    assert notes == {Note.NO_ONSET, Note.NO_ENROLMENT}


def test_an_export_that_is_known_is_left_to_auto(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text(dated("2025-04-03", "2025-04-13"))
    fitabase = "Id,ActivityDate,TotalSteps,TotalDistance,TrackerDistance,LoggedActivitiesDistance,"
    fitabase += "VeryActiveDistance,ModeratelyActiveDistance,LightActiveDistance,"
    fitabase += "SedentaryActiveDistance,VeryActiveMinutes,FairlyActiveMinutes,"
    fitabase += (
        "LightlyActiveMinutes,SedentaryMinutes,Calories\n1,4/12/2016,1,1,1,0,1,1,1,0,1,1,1,1,1\n"
    )
    (tmp_path / "dailyActivity_merged.csv").write_text(fitabase)
    proposal = propose_map([tmp_path], tmp_path, export_of)
    assert [n.facts for n in proposal.notes if n.note is Note.KNOWN_EXPORT] == [("fitbit",)]
    (tmp_path / "scores.csv").unlink()
    with refuses(ContractError):
        propose_map([tmp_path], tmp_path, export_of)


def test_sources_that_a_map_cannot_name_are_refused(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (there / "a.csv").write_text("id;FM\n1;2\n")
    for source in (there, here, here / "none.csv"):
        with pytest.raises(ContractError) as refused:
            propose_map([source], here)
        same_as_kept(str(refused.value).replace(str(tmp_path), "FOLDER"))
    (here / "b.csv").write_bytes(b"PK\x03\x04")
    (here / "c.csv").write_bytes(b"")
    with refuses(CohortInvalid):
        propose_map([here], here)
