"""Writes the CSV files of the example: SIMULATED patients as a clinic would export them.

.venv/bin/python examples/write_csv.py
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME
from features.simulate import simulate

FOLDER = Path(__file__).parent
SEED = 4
PEOPLE, NEW_PEOPLE = 120, 12
"""Of whom the model learns, and whom it has never seen."""

LAST_DAY = 24
"""Days after enrolment up to which the wearable's days are kept: the files stay small."""

PERSON = {
    "age": "REHABCAST//AGE",
    "sex": "REHABCAST//SEX",
    "affected arm": "REHABCAST//AFFECTED_ARM",
    "hospital": "REHABCAST//SITE",
    "ethnicity": "REHABCAST//ETHNICITY",
}
SCORES = {"FM-UE": "REHABCAST//FUGL_MEYER_UE", "Barthel": "REHABCAST//BARTHEL"}
DAYS = {"wear h": "REHABCAST//WEAR_TIME", "steps": "LOINC//41950-7",
        "arm use ratio": "REHABCAST//ARM_USE_RATIO"}  # fmt: skip


def main(folder: Path = FOLDER) -> None:
    """Write the tables of those the model learns from, and of new patients."""
    events, _ = simulate(subjects=PEOPLE + NEW_PEOPLE, seed=SEED)
    onset = events[events[CODE] == ONSET].set_index(SUBJECT)[TIME]
    events["patient"] = "P" + events[SUBJECT].astype(str).str.zfill(3)
    events["day"] = (
        events[TIME].dt.normalize() - events[SUBJECT].map(onset).dt.normalize()
    ).dt.days
    is_new = events[SUBJECT] > PEOPLE
    for name, part in (("clinic", events[~is_new]), ("new-patients", events[is_new])):
        (folder / name).mkdir(parents=True, exist_ok=True)
        _people(part).to_csv(folder / name / "people.csv", index=False)
        _wide(part, SCORES).to_csv(folder / name / "scores.csv", index=False)
        enrolled = part[part[CODE] == ENROLMENT].set_index(SUBJECT)["day"]
        early = part[part["day"] <= part[SUBJECT].map(enrolled) + LAST_DAY]
        _wide(early, DAYS).to_csv(folder / name / "days.csv", index=False)


def _people(events: pd.DataFrame) -> pd.DataFrame:
    enrolled = events[events[CODE] == ENROLMENT].set_index("patient")["day"]
    table = pd.DataFrame({"enrolled on day": enrolled.astype(int)})
    for column, code in PERSON.items():
        facts = events[events[CODE] == code].set_index("patient")
        table[column] = facts[TEXT].where(facts[TEXT].notna(), facts[NUMBER])
    return table.reset_index()


def _wide(events: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    names = {code: column for column, code in columns.items()}
    chosen = events[events[CODE].isin(list(names))]
    chosen = chosen.assign(
        column=chosen[CODE].astype(str).map(names), day=chosen["day"].astype(int)
    )
    values = chosen[NUMBER].astype(float).round(4)
    table = chosen.assign(value=values).pivot(
        index=["patient", "day"], columns="column", values="value"
    )
    return table[list(columns)].reset_index()


if __name__ == "__main__":
    main()
