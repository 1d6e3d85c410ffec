"""The same SIMULATED people written as hospitals export them: OMOP, REDCap, FHIR bulk, plain tables.

Ids of concepts are made up; column names are those of OHDSI/CommonDataModel and of REDCap's exports.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from contracts.therapy import DISCIPLINES

FM, STEPS, WALK = "REHABCAST//FUGL_MEYER_UE", "LOINC//41950-7", "REHABCAST//SIX_MINUTE_WALK"
UNITS = {FM: "{score}", STEPS: "/d", WALK: "m"}


class Person(NamedTuple):
    """Somebody; SIMULATED."""

    label: str
    sex: str
    born: str
    onset: str
    admitted: str
    died: str = ""


class Value(NamedTuple):
    """What was measured of somebody, and when (a day, or a time of day)."""

    label: str
    at: str
    code: str
    value: float


class Session(NamedTuple):
    """A session of therapy: when it began, its minutes, a discipline and up to two ways."""

    label: str
    at: str
    minutes: int
    kinds: tuple[str, ...]

    @property
    def end(self) -> str:
        """When it ended."""
        return f"{datetime.fromisoformat(self.at) + pd.Timedelta(minutes=self.minutes)}"


SEXES = {"male": 8507, "female": 8532}
CONCEPTS = [
    (2_000_000_001, "Fugl-Meyer, our code", "OurHospital", "FMA"),
    (2_000_000_002, "Number of steps in 24 hour", "LOINC", "41950-7"),
    (2_000_000_003, "Six minute walk, our code", "OurHospital", "6MWT"),
    (2_000_000_004, "Systolic blood pressure", "LOINC", "8480-6"),
    (2_000_000_010, "Ischemic stroke", "SNOMED", "422504002"),
    (2_000_000_011, "Fracture of forearm", "SNOMED", "65966004"),
    (2_000_000_012, "Cerebral infarction, unspecified", "ICD10CM", "I63.9"),
    (2_000_000_020, "metre", "UCUM", "m"),
    (2_000_000_021, "kilometre", "UCUM", "km"),
    (2_000_000_022, "per day", "UCUM", "/d"),
    (2_000_000_030, "Physical therapy procedure", "SNOMED", "91251008"),
    (2_000_000_031, "Appendectomy", "SNOMED", "80146002"),
    (2_000_000_032, "Occupational therapy", "SNOMED", "84478008"),
    (2_000_000_033, "Speech and language therapy", "SNOMED", "311555007"),
    (2_000_000_034, "Art therapy, our code", "OurHospital", "ART"),
    (2_000_000_035, "In the group, our code", "OurHospital", "GRP"),
    (2_000_000_036, "With the robot, our code", "OurHospital", "ROB"),
    (2_000_000_040, "Inpatient rehabilitation", "Visit", "IR"),
]
OMOP_IDS = {FM: 2_000_000_001, STEPS: 2_000_000_002, WALK: 2_000_000_003}
OMOP_UNITS = {FM: 0, STEPS: 2_000_000_022, WALK: 2_000_000_020}
STROKE, REHABILITATION = 2_000_000_010, 2_000_000_040

PHYSIO, OCCUPATIONAL, SPEECH, OTHER = DISCIPLINES
GROUP, ROBOT = "REHABCAST//THERAPY_GROUP", "REHABCAST//THERAPY_ROBOT"
SESSION_IDS = {
    PHYSIO: 2_000_000_030, OCCUPATIONAL: 2_000_000_032, SPEECH: 2_000_000_033,
    OTHER: 2_000_000_034, GROUP: 2_000_000_035, ROBOT: 2_000_000_036,
}  # fmt: skip
SNOMED_OF = {PHYSIO: "91251008", OCCUPATIONAL: "84478008", SPEECH: "311555007"}

OMOP_MAP = f"""
name = "our hospital"
simulated = true
person = "person_source_value"
enrolment_visits = [{REHABILITATION}]

[[concepts]]
concept = {OMOP_IDS[FM]}
code = "{FM}"

[[concepts]]
concept = {OMOP_IDS[WALK]}
code = "{WALK}"
"""

THERAPY_MAP = "".join(
    f'[[concepts]]\nconcept = {SESSION_IDS[code]}\ncode = "{code}"\n'
    for code in (OTHER, GROUP, ROBOT)
) + "".join(
    f'[[concepts]]\nsource_value = "{code.rpartition("_")[2]}"\ncode = "{code}"\n'
    for code in (GROUP, ROBOT)
)
"""What the hospital's own codes of sessions mean: to be added to `OMOP_MAP`."""

Rows = list[dict[str, Any]]


def omop_tables(
    people: Sequence[Person], values: Sequence[Value], sessions: Sequence[Session] = ()
) -> dict[str, Rows]:
    """Return the tables of the model; what a table of the model needs and nobody uses is left out."""
    numbers = {person.label: n for n, person in enumerate(people, start=1)}
    tables: dict[str, Rows] = {name: [] for name in (
        "person", "measurement", "observation", "condition_occurrence", "procedure_occurrence",
        "visit_occurrence", "death")}  # fmt: skip
    for person in people:
        born = [int(part) for part in person.born.split("-")]
        tables["person"].append({
            "person_id": numbers[person.label], "gender_concept_id": SEXES[person.sex],
            "year_of_birth": born[0], "month_of_birth": born[1], "day_of_birth": born[2],
            "birth_datetime": None, "race_concept_id": 0, "ethnicity_concept_id": 0,
            "person_source_value": person.label, "gender_source_value": person.sex[0].upper(),
        })  # fmt: skip
        tables["condition_occurrence"].append({
            "condition_occurrence_id": numbers[person.label], "person_id": numbers[person.label],
            "condition_concept_id": STROKE, "condition_start_date": person.onset,
            "condition_start_datetime": None, "condition_type_concept_id": 32817,
            "condition_status_concept_id": 0, "condition_source_value": "I63.9",
            "condition_source_concept_id": 2_000_000_012,
        })  # fmt: skip
        tables["visit_occurrence"].append({
            "visit_occurrence_id": numbers[person.label], "person_id": numbers[person.label],
            "visit_concept_id": REHABILITATION, "visit_start_date": person.admitted,
            "visit_start_datetime": None, "visit_end_date": person.admitted,
            "visit_type_concept_id": 32817,
        })  # fmt: skip
        if person.died:
            tables["death"].append({
                "person_id": numbers[person.label], "death_date": person.died,
                "death_datetime": None, "death_type_concept_id": 32817,
            })  # fmt: skip
    for n, value in enumerate(values, start=1):
        tables["measurement"].append({
            "measurement_id": n, "person_id": numbers[value.label],
            "measurement_concept_id": OMOP_IDS[value.code],
            "measurement_date": value.at[:10],
            "measurement_datetime": value.at if len(value.at) > 10 else None,
            "measurement_type_concept_id": 32817, "operator_concept_id": 0,
            "value_as_number": value.value, "value_as_concept_id": 0,
            "unit_concept_id": OMOP_UNITS[value.code], "measurement_source_value": "x",
            "measurement_source_concept_id": 0, "unit_source_value": None,
        })  # fmt: skip
    for n, session in enumerate(sessions, start=1):
        first, second, third = (*session.kinds, "", "")[:3]
        tables["procedure_occurrence"].append({
            "procedure_occurrence_id": n, "person_id": numbers[session.label],
            "procedure_concept_id": SESSION_IDS[first], "procedure_date": session.at[:10],
            "procedure_datetime": session.at, "procedure_end_date": session.end[:10],
            "procedure_end_datetime": session.end, "procedure_type_concept_id": 32817,
            "procedure_source_concept_id": SESSION_IDS.get(second, 0),
            "procedure_source_value": third.rpartition("_")[2],
        })  # fmt: skip
    return tables


def concept_rows() -> Rows:
    """Return the vocabulary table."""
    return [
        {
            "concept_id": number, "concept_name": name, "domain_id": "Measurement",
            "vocabulary_id": system, "concept_class_id": "x", "standard_concept": "S",
            "concept_code": code, "valid_start_date": "1970-01-01",
            "valid_end_date": "2099-12-31", "invalid_reason": None,
        }
        for number, name, system, code in CONCEPTS
    ]  # fmt: skip


def write_omop(
    folder: Path, tables: dict[str, Rows], *, form: str = "csv", toml: str = OMOP_MAP
) -> Path:
    """Write an export with its map beside the folder, and return the map's path."""
    folder.mkdir(parents=True)
    for name, rows in {**tables, "concept": concept_rows()}.items():
        if not rows:
            continue
        frame = pd.DataFrame(rows)
        if form == "parquet":
            for title in frame.columns:
                if title.endswith(("_date", "_datetime")):
                    frame[title] = pd.to_datetime(frame[title], format="ISO8601")
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        else:
            frame.to_csv(folder / f"{name}.csv", index=False)
    plan = folder.with_name(f"{folder.name}.toml")
    plan.write_text(toml, "utf-8")
    return plan


TABLES_MAP = """
name = "our hospital"
clock = "timestamps"
simulated = true

[[tables]]
file = "people.csv"
subject = "id"
columns = [
    { column = "onset", code = "REHABCAST//ONSET" },
    { column = "admitted", code = "REHABCAST//ENROLMENT" },
    { column = "sex", code = "REHABCAST//SEX" },
]

[[tables]]
file = "values.csv"
subject = "id"
when = "at"
names_in = "what"
values_in = "value"
columns = [
"""


def write_tables(
    folder: Path,
    people: Sequence[Person],
    values: Sequence[Value],
    sessions: Sequence[Session] = (),
) -> Path:
    """Write the same as plain tables, and return their map."""
    folder.mkdir(parents=True)
    pd.DataFrame(people)[["label", "onset", "admitted", "sex"]].rename(
        columns={"label": "id"}
    ).to_csv(folder / "people.csv", index=False)
    pd.DataFrame(values, columns=["id", "at", "what", "value"]).to_csv(
        folder / "values.csv", index=False
    )
    lines = "".join(
        f'    {{ column = "{code}", code = "{code}", unit = "{UNITS[code]}" }},\n'
        for code in sorted({value.code for value in values})
    )
    declared = f"{TABLES_MAP}{lines}]\n"
    if sessions:
        declared += _write_sessions(folder, sessions)
    (folder / "map.toml").write_text(declared, "utf-8")
    return folder / "map.toml"


def _write_sessions(folder: Path, sessions: Sequence[Session]) -> str:
    """Write a row a session and kind, in hours, and return the table's part of the map."""
    rows = [
        (each.label, each.at[:10], kind, each.minutes / 60)
        for each in sessions
        for kind in each.kinds
    ]
    pd.DataFrame(rows, columns=["id", "day", "kind", "hours"]).to_csv(
        folder / "sessions.csv", index=False
    )
    columns = "".join(
        f'    {{ column = "{code}", code = "{code}", unit = "h", sessions = true }},\n'
        for code in sorted({kind for each in sessions for kind in each.kinds})
    )
    return (
        '\n[[tables]]\nfile = "sessions.csv"\nsubject = "id"\nwhen = "day"\n'
        f'names_in = "kind"\nvalues_in = "hours"\ncolumns = [\n{columns}]\n'
    )


def fhir_resources(
    people: Sequence[Person], values: Sequence[Value], sessions: Sequence[Session] = ()
) -> dict[str, Rows]:
    """Return the same as resources by type, as a bulk export has them."""
    resources: dict[str, Rows] = {
        "Patient": [], "Condition": [], "Observation": [], "Procedure": [],
    }  # fmt: skip
    for person in people:
        resources["Patient"].append({
            "resourceType": "Patient", "id": person.label, "gender": person.sex,
            "birthDate": person.born,
            **({"deceasedDateTime": person.died} if person.died else {}),
        })  # fmt: skip
        resources["Condition"].append({
            "resourceType": "Condition", "id": f"c-{person.label}",
            "subject": {"reference": f"Patient/{person.label}"},
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "422504002"}]},
            "onsetDateTime": person.onset,
        })  # fmt: skip
    for n, value in enumerate(values):
        system, _, code = value.code.partition("//")
        at = value.at.replace(" ", "T") + ("+01:00" if len(value.at) > 10 else "")
        resources["Observation"].append({
            "resourceType": "Observation", "id": f"o-{n}", "status": "final",
            "subject": {"reference": f"Patient/{value.label}"}, "effectiveDateTime": at,
            "code": {"coding": [{
                "system": "http://loinc.org" if system == "LOINC" else "urn:rehabcast:vocabulary",
                "code": code,
            }]},
            "valueQuantity": {
                "value": value.value, "system": "http://unitsofmeasure.org",
                "code": UNITS[value.code],
            },
        })  # fmt: skip
    for n, session in enumerate(sessions):
        resources["Procedure"].append({
            "resourceType": "Procedure", "id": f"s-{n}", "status": "completed",
            "subject": {"reference": f"Patient/{session.label}"},
            "code": {"coding": [
                {"system": "http://snomed.info/sct", "code": SNOMED_OF[kind]}
                if kind in SNOMED_OF
                else {"system": "urn:rehabcast:vocabulary", "code": kind.partition("//")[2]}
                for kind in session.kinds
            ]},
            "performedPeriod": {
                "start": session.at.replace(" ", "T") + "+01:00",
                "end": session.end.replace(" ", "T") + "+01:00",
            },
        })  # fmt: skip
    return resources


def write_fhir(folder: Path, resources: dict[str, Rows], parts: int = 1) -> Path:
    """Write resources as bulk NDJSON, each type in some files."""
    folder.mkdir(parents=True)
    for kind, rows in resources.items():
        for part in range(parts):
            lines = [json.dumps(row) for row in rows[part::parts]]
            if lines:
                name = f"{kind}.{part:03d}.ndjson"
                (folder / name).write_text("\n".join([*lines, ""]), "utf-8")
    return folder


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a table with every cell in quotation marks, as REDCap does where it must."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def day(first: str, days: int) -> str:
    """Return a date some days later."""
    later = datetime.fromisoformat(first) + pd.Timedelta(days=days)
    return f"{later:%Y-%m-%d}"
