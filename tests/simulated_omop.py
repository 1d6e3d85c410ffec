"""A small OMOP export of SIMULATED people, as a hospital would hand it over.

    python -m tests.simulated_omop export --people 60

Nobody in it is real: everything is drawn by `features.simulate`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NOMINAL_ONSET, NUMBER, ONSET, SUBJECT, TEXT, TIME
from features.simulate import simulate
from tests.hospital_exports import (
    FM,
    STEPS,
    Person,
    Rows,
    Value,
    omop_tables,
    write_omop,
)

AGE, SEX, THERAPY = "REHABCAST//AGE", "REHABCAST//SEX", "REHABCAST//THERAPY"
SYSTOLIC, THERAPIST = 2_000_000_004, 2_000_000_030
DAYS = 120
"""Days after the onset of which there are steps and sessions of therapy."""

MAP = """# What the export's own vocabulary table does not say (docs/importing.md, OMOP).
name = "our hospital, SIMULATED"
simulated = true
person = "person_source_value"
enrolment_visits = [2000000040]

[[concepts]]
concept = 2000000001
code = "REHABCAST//FUGL_MEYER_UE"
"""


def drawn(people: int, seed: int) -> tuple[list[Person], list[Value], Rows]:
    """Draw people, their scores and steps, and their sessions of therapy."""
    events, _ = simulate(subjects=people, seed=seed)
    late = np.random.default_rng(seed).integers(0, 400, people + 1)
    first = pd.Timestamp("2022-06-01") - pd.Timestamp(NOMINAL_ONSET)
    moved = events[TIME] + first + pd.to_timedelta(late[events[SUBJECT]], unit="D")
    day = (events[TIME] - pd.Timestamp(NOMINAL_ONSET)).dt.days
    events = events.assign(**{TIME: moved, "day": day})
    persons, sessions = [], Rows()
    for number, own in events.groupby(SUBJECT):
        once = own.drop_duplicates(CODE).set_index(CODE)
        onset = once.loc[ONSET, TIME]
        born = onset - pd.DateOffset(years=int(once.loc[AGE, NUMBER])) - pd.Timedelta(days=100)
        label = f"MRN-{number:04d}"
        persons.append(
            Person(label, str(once.loc[SEX, TEXT]), f"{born:%Y-%m-%d}", f"{onset:%Y-%m-%d}",
                   f"{once.loc[ENROLMENT, TIME]:%Y-%m-%d}")
        )  # fmt: skip
        for at, minutes in own.loc[
            (own[CODE] == THERAPY) & (own["day"] <= DAYS), [TIME, NUMBER]
        ].itertuples(index=False):
            begins = at.normalize() + pd.Timedelta(hours=9)
            ends = begins + pd.Timedelta(minutes=round(minutes))
            if ends > begins:
                sessions.append(_session(len(sessions) + 1, int(str(number)), begins, ends))
    chosen = events[(events[CODE] == FM) | ((events[CODE] == STEPS) & (events["day"] <= DAYS))]
    values = [
        Value(f"MRN-{who:04d}", f"{at:%Y-%m-%d}", str(code), float(round(number)))
        for who, at, code, number in chosen[[SUBJECT, TIME, CODE, NUMBER]].itertuples(index=False)
    ]
    return persons, values, sessions


def _session(
    number: int, person: int, begins: pd.Timestamp, ends: pd.Timestamp
) -> dict[str, object]:
    return {
        "procedure_occurrence_id": number, "person_id": person,
        "procedure_concept_id": THERAPIST, "procedure_date": f"{begins:%Y-%m-%d}",
        "procedure_datetime": f"{begins:%Y-%m-%d %H:%M:%S}",
        "procedure_end_date": f"{ends:%Y-%m-%d}",
        "procedure_end_datetime": f"{ends:%Y-%m-%d %H:%M:%S}",
        "procedure_type_concept_id": 32817, "procedure_source_value": "PT",
        "procedure_source_concept_id": 0,
    }  # fmt: skip


def write_sample(folder: Path, *, people: int = 60, seed: int = 7, form: str = "csv") -> Path:
    """Write an export and its map, and return the map's path."""
    persons, values, sessions = drawn(people, seed)
    tables = omop_tables(persons, values)
    pressures = [
        {**row, "measurement_id": 1_000_000 + n, "measurement_concept_id": SYSTOLIC,
         "value_as_number": 120 + n % 30, "unit_concept_id": 0}
        for n, row in enumerate(tables["measurement"][:40])
    ]  # fmt: skip
    tables["measurement"] += pressures
    tables["procedure_occurrence"] = sessions
    return write_omop(folder, tables, form=form, toml=MAP)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write an OMOP export of SIMULATED people.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=60)
    arguments = parser.parse_args()
    write_sample(arguments.folder, people=arguments.people)
