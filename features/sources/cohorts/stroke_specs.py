"""Importer of the SPECS stroke recovery data (Ballester 2019, doi:10.1152/jn.00762.2018).

Two files: `Clinical_Scales*.csv` (one row per patient and evaluation) and
`*Demographics_and_ClinicalScreening.xlsx` (one row per patient). The files count days and give no
dates, so every onset is `contracts.cohort.NOMINAL_ONSET`. Every interpretation of the spreadsheet
is a rule that is counted in the cohort's provenance.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.cohort import (
    CODE,
    COLUMNS,
    ENROLMENT,
    NOMINAL_ONSET,
    NUMBER,
    ONSET,
    SUBJECT,
    TEXT,
    TIME,
    Provenance,
    RuleCount,
)
from contracts.errors import CohortInvalid, ContractError, Problem, SourceUnreadable
from contracts.vocabulary import vocabulary
from features.sources.cohorts.cohort_files import FIRST_ROW, check_plain_ids, read_values

NAME = "stroke-specs"
"""As named on the command line."""

SCALES = {
    "fuglmeyer": "REHABCAST//FUGL_MEYER_UE",
    "cahai": "REHABCAST//CAHAI",
    "barthel": "REHABCAST//BARTHEL",
}
EVALUATION_DAY = {
    "baseline": 0, "w03": 21, "w05": 35, "w06": 42, "w12": 84, "m06": 182, "m12": 364,
}  # fmt: skip
"""Nominal days after enrolment: months 6 and 12 are weeks 26 and 52."""

SEX = {1: "male", 2: "female"}
STROKE_TYPES = (
    (r"hem+or+h?ag|haem|hematoma", "haemorrhagic"),
    (r"athero", "large artery"),
    (r"cardioembol", "cardioembolic"),
    (r"small\W*vessel|peq vaso", "small vessel"),
    (r"undetermined|indeterminate", "undetermined"),
    (r"^other$", "other"),
)
"""Patterns in order: the first that is found in the text decides."""

SCALE_COLUMNS = [
    "patientID", "treatment", "study", "new_days_after_stroke", "eval_time", *SCALES,
]  # fmt: skip
PERSON_COLUMNS = [
    "patientID", "hospital", "gender", "age", "stroke_type", "affected_arm", "aphasia",
]  # fmt: skip


def import_stroke_specs(source: Path) -> tuple[pd.DataFrame, Provenance]:
    """Read the two files into events.

    Returns
    -------
    Events with `contracts.cohort.COLUMNS`, and where they come from with the rules applied.

    Raises
    ------
    ContractError
        A file is missing.
    CohortInvalid
        Cells that no rule covers, each with file, row and field.
    """
    scales_file, person_file = _find(source, "*Clinical_Scales*.csv"), _find(source, "*.xlsx")
    scales = _read(scales_file, SCALE_COLUMNS)
    person = _read(person_file, PERSON_COLUMNS)
    problems = [
        *_scale_problems(scales, person, scales_file.name),
        *_person_problems(person, person_file.name),
    ]
    if problems:
        raise CohortInvalid(problems)
    enrolled = person[person["patientID"].isin(scales["patientID"])]
    events = pd.concat(
        [_dates(scales), _scores(scales), _arms(scales), _facts(enrolled)], ignore_index=True
    )
    provenance = Provenance(
        name=NAME,
        source=f"SPECS stroke recovery: {scales_file.name}, {person_file.name}",
        simulated=False,
        dates_shifted=True,
        details={"evaluation_day": EVALUATION_DAY, "citation": "doi:10.1152/jn.00762.2018"},
        rules=_rules(scales, person, enrolled),
    )
    return events[list(COLUMNS)], provenance


def stroke_type(text: str) -> str | None:
    """Return the vocabulary's label for a free-text stroke type, None where no pattern fits."""
    for pattern, label in STROKE_TYPES:
        if re.search(pattern, text.strip(), re.IGNORECASE):
            return label
    return None


def _find(source: Path, pattern: str) -> Path:
    files = sorted(source.glob(pattern))
    if len(files) != 1:
        raise ContractError(
            f"{source}: {len(files)} files match {pattern}, expected one",
            "name the folder with the SPECS scales (CSV) and demographics (spreadsheet)",
        )
    return files[0]


def _read(file: Path, columns: list[str]) -> pd.DataFrame:
    try:
        table = read_values(file) if file.suffix == ".csv" else pd.read_excel(file)
    except SourceUnreadable as error:
        raise CohortInvalid([error.problem]) from error
    except (ValueError, OSError, KeyError) as error:
        found, advice = f"cannot be read ({error})", "save it again from its source"
        problem = Problem(file=file.name, row=None, field="*", found=found, advice=advice)
        raise CohortInvalid([problem]) from error
    if missing := [column for column in columns if column not in table.columns]:
        found = "no such column"
        advice = f"rename the right one of: {', '.join(map(str, table.columns))}"
        raise CohortInvalid(
            [
                Problem(file=file.name, row=1, field=column, found=found, advice=advice)
                for column in missing
            ]
        )
    check_plain_ids(table, "patientID", file.name)
    return table[columns]


def _row_problems(rows: pd.DataFrame, file: str, field: str, expected: str) -> list[Problem]:
    problems = []
    for row, value in zip((rows.index + FIRST_ROW).tolist(), rows[field].tolist(), strict=True):
        found, advice = f"{value!r} where {expected}", "correct the cell"
        problems.append(Problem(file=file, row=row, field=field, found=found, advice=advice))
    return problems


def _scale_problems(scales: pd.DataFrame, person: pd.DataFrame, file: str) -> list[Problem]:
    unknown = ~scales["eval_time"].isin(EVALUATION_DAY)
    nobody = ~scales["patientID"].isin(person["patientID"])
    repeated = scales.duplicated(["patientID", "eval_time"])
    days = scales["new_days_after_stroke"]
    first = scales.groupby("patientID")["new_days_after_stroke"].transform("first")
    problems = [
        *_row_problems(
            scales[unknown], file, "eval_time", f"one of {', '.join(EVALUATION_DAY)} is expected"
        ),
        *_row_problems(scales[nobody], file, "patientID", "the demographics have no such patient"),
        *_row_problems(
            scales[repeated], file, "eval_time", "the patient already has this evaluation"
        ),
        *_row_problems(
            scales[~(days >= 0)], file, "new_days_after_stroke", "days from 0 on are expected"
        ),
        *_row_problems(
            scales[(days >= 0) & (days != first)],
            file,
            "new_days_after_stroke",
            "the patient's other rows have another day",
        ),
    ]
    for column, code in SCALES.items():
        entry = vocabulary()[code]
        number = pd.to_numeric(scales[column], errors="coerce")
        bad = scales[column].notna() & ~((number >= entry.low) & (number <= entry.high))
        expected = f"{entry.low:g} to {entry.high:g} or an empty cell is expected"
        problems += _row_problems(scales[bad], file, column, expected)
    return problems


def _person_problems(person: pd.DataFrame, file: str) -> list[Problem]:
    age = pd.to_numeric(person["age"], errors="coerce")
    types = person["stroke_type"].dropna().map(str).map(stroke_type)
    wrong_age = person["age"].notna() & ~age.between(18, 110)
    wrong_aphasia = person["aphasia"].notna() & ~person["aphasia"].isin(["yes", "no"])
    unknown_type = types.isna().reindex(person.index, fill_value=False)
    checks = (
        ("patientID", person["patientID"].duplicated(), "each patient has one row"),
        ("gender", ~person["gender"].isin(SEX), "1 or 2 is expected"),
        ("affected_arm", ~person["affected_arm"].isin([1, 2]), "1 or 2 is expected"),
        ("hospital", ~person["hospital"].isin([0, 1, 2]), "0, 1 or 2 is expected"),
        ("age", wrong_age, "18 to 110 years or an empty cell is expected"),
        ("aphasia", wrong_aphasia, "yes, no or an empty cell is expected"),
        ("stroke_type", unknown_type, "no pattern of STROKE_TYPES matches this text"),
    )
    return [
        problem
        for field, bad, expected in checks
        for problem in _row_problems(person[bad], file, field, expected)
    ]


def _onset_plus(days: pd.Series) -> pd.Series:
    return NOMINAL_ONSET + pd.to_timedelta(days, unit="D")


def _dates(scales: pd.DataFrame) -> pd.DataFrame:
    patients = scales.drop_duplicates("patientID")
    onset = pd.DataFrame({SUBJECT: patients["patientID"], TIME: NOMINAL_ONSET, CODE: ONSET})
    enrolment = pd.DataFrame(
        {
            SUBJECT: patients["patientID"],
            TIME: _onset_plus(patients["new_days_after_stroke"]),
            CODE: ENROLMENT,
        }
    )
    return _completed(pd.concat([onset, enrolment]))


def _scores(scales: pd.DataFrame) -> pd.DataFrame:
    day = scales["new_days_after_stroke"] + scales["eval_time"].map(EVALUATION_DAY)
    parts = [
        pd.DataFrame(
            {
                SUBJECT: scales["patientID"],
                TIME: _onset_plus(day),
                CODE: code,
                NUMBER: scales[column].astype(float),
            }
        )
        for column, code in SCALES.items()
    ]
    return _completed(pd.concat(parts).dropna(subset=[NUMBER]))


def _arms(scales: pd.DataFrame) -> pd.DataFrame:
    patients = scales.drop_duplicates("patientID")
    parts = [
        pd.DataFrame(
            {SUBJECT: patients["patientID"], CODE: code, TEXT: patients[column].astype(str)}
        )
        for column, code in (("treatment", "REHABCAST//TREATMENT"), ("study", "REHABCAST//STUDY"))
    ]
    return _completed(pd.concat(parts))


def _facts(person: pd.DataFrame) -> pd.DataFrame:
    labels = {
        "REHABCAST//SEX": person["gender"].map(SEX),
        "REHABCAST//SITE": "hospital " + person["hospital"].astype(str),
        "REHABCAST//AFFECTED_ARM": person["affected_arm"].astype(str),
        "REHABCAST//APHASIA": person["aphasia"],
        "REHABCAST//STROKE_TYPE": person["stroke_type"].map(
            lambda text: stroke_type(str(text)), na_action="ignore"
        ),
    }
    parts = [
        pd.DataFrame({SUBJECT: person["patientID"], CODE: code, TEXT: label})
        for code, label in labels.items()
    ]
    age = pd.DataFrame(
        {SUBJECT: person["patientID"], CODE: "REHABCAST//AGE", NUMBER: person["age"]}
    )
    return _completed(pd.concat([*parts, age]).dropna(subset=[TEXT, NUMBER], how="all"))


def _completed(events: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that these events do not have."""
    completed = events.reindex(columns=list(COLUMNS))
    completed[TIME] = pd.to_datetime(completed[TIME]).astype("datetime64[us]")
    completed[NUMBER] = completed[NUMBER].astype(float)
    completed[TEXT] = completed[TEXT].astype(object).where(completed[TEXT].notna(), None)
    return completed


def _rules(
    scales: pd.DataFrame, person: pd.DataFrame, enrolled: pd.DataFrame
) -> tuple[RuleCount, ...]:
    missing_scores = int(np.sum(scales[list(SCALES)].isna().to_numpy()))
    named = enrolled["stroke_type"].dropna()
    labels = named.map(lambda text: stroke_type(str(text)))
    counted = {
        "gender 1 is male, 2 is female (inferred from the authors' code)": len(enrolled),
        "affected arm kept as 1 or 2: the source does not say which is left": len(enrolled),
        "no score in the cell: left out": missing_scores,
        "no age: left out (not recorded)": int(enrolled["age"].isna().sum()),
        "no aphasia entry: left out (not recorded)": int(enrolled["aphasia"].isna().sum()),
        "no stroke type: left out (not recorded)": int(enrolled["stroke_type"].isna().sum()),
        **{
            f"free-text stroke type read as {label}": int((labels == label).sum())
            for _, label in STROKE_TYPES
        },
        "patient without any scale: left out": len(person) - len(enrolled),
        "evaluations placed on nominal days after enrolment": len(scales),
    }
    return tuple(RuleCount(rule=rule, rows=rows) for rule, rows in counted.items())
