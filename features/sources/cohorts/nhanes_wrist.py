"""Importer of NHANES 2011-2014 wrist accelerometry summaries (Koffman 2024, PMID 39589008).

One file, `covariates_accel_mortality.csv.gz`, one row a person. The wearable values are means over
the valid days, placed on the day of enrolment. Whether there is a mobility problem was asked at the
same visit, so a "forecast" of it is an association across people and not one in time; survival is a
forecast. NHANES is for statistical use only: nobody may be re-identified.
"""

from __future__ import annotations

from pathlib import Path

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
from features.sources.cohorts.cohort_files import check_plain_ids, columns_of, read_values

NAME = "nhanes-wrist"
"""As named on the command line."""

FILE = "covariates_accel_mortality.csv.gz"

AGES = (50, 80)
"""From, and below: as in the published figures."""
VALID_DAYS = 3
MOBILITY_DAY, SURVIVAL_DAY, SURVIVAL_MONTHS = 7, 5 * 364, 60
"""Nominal day of the mobility question, and five years in whole weeks."""

AGE, SUBJECT_COLUMN = "age_in_years_at_screening", "SEQN"
LABELS: dict[str, tuple[str, dict[object, str]]] = {
    "REHABCAST//SEX": ("gender", {"Female": "female", "Male": "male"}),
    "REHABCAST//ETHNICITY": (
        "race_hispanic_origin",
        {
            "Mexican American": "Hispanic",
            "Other Hispanic": "Hispanic",
            "Non-Hispanic White": "non-Hispanic White",
            "Non-Hispanic Black": "non-Hispanic Black",
            "Non-Hispanic Asian": "Asian",
            "Other Race - Including Multi-Rac": "other",
            "Other Race - Including Multi-Racial": "other",
            "Other": "other",
        },
    ),
    "REHABCAST//EDUCATION_LEVEL": (
        "cat_education",
        {
            "Less than HS": "below high school",
            "HS/HS equivalent": "high school",
            "More than HS": "above high school",
        },
    ),
    "REHABCAST//ARTHRITIS": ("arthritis", {0: "no", 1: "yes"}),
}
NUMBERS = {"REHABCAST//AGE": AGE, "REHABCAST//BODY_MASS_INDEX": "body_mass_index_kg_m_2"}
DISEASES = ["bin_diabetes", "chf", "chd", "angina", "heartattack", "stroke", "cancer"]
DAILY = {
    "LOINC//41950-7": "total_oaksteps",
    "REHABCAST//PEAK_CADENCE": "peak30_oaksteps",
    "REHABCAST//ACTIVITY_VOLUME": "total_PAXMTSM",
    "REHABCAST//LOG_COUNTS": "total_log10AC",
}
NEEDED = [
    SUBJECT_COLUMN, "num_valid_days", "bin_mobilityproblem", "mortstat", "permth_exm", *DISEASES,
    *NUMBERS.values(), *DAILY.values(), *(column for column, _ in LABELS.values()),
]  # fmt: skip


def matches(source: Path) -> bool:
    """Recognise the folder by the columns of its file."""
    return set(NEEDED) <= columns_of(source / FILE)


def import_nhanes_wrist(source: Path) -> tuple[pd.DataFrame, Provenance]:
    """Read the people aged 50 to 79 with three valid days or more.

    Returns
    -------
    Events with `contracts.cohort.COLUMNS`, and where they come from.

    Raises
    ------
    ContractError
        The file does not exist or lacks a column.
    CohortInvalid
        A label that no rule covers.
    """
    everybody = _read(source / FILE)
    of_age = everybody[everybody[AGE].between(*AGES, inclusive="left")]
    people = of_age[of_age["num_valid_days"] >= VALID_DAYS]
    parts = [_dated(people, code, 0) for code in (ONSET, ENROLMENT)]
    parts += [_labels(people, code, *of) for code, of in LABELS.items()]
    parts += [_facts(people, code, people[column]) for code, column in NUMBERS.items()]
    parts.append(_facts(people, "REHABCAST//COMORBIDITIES", people[DISEASES].sum(axis=1)))
    parts += [_dated(people, code, 0, people[column]) for code, column in DAILY.items()]
    mobility = 1 - people["bin_mobilityproblem"]
    parts.append(_dated(people, "REHABCAST//MOBILITY", MOBILITY_DAY, mobility))
    followed = (people["permth_exm"] >= SURVIVAL_MONTHS) | (people["mortstat"] == 1)
    alive = (people["permth_exm"] >= SURVIVAL_MONTHS).astype(float).where(followed)
    parts.append(_dated(people, "REHABCAST//ALIVE", SURVIVAL_DAY, alive))
    unknown = int((~followed).sum())
    provenance = Provenance(
        name=NAME,
        source=f"NHANES 2011-2014 wrist summaries, {FILE}",
        simulated=False,
        dates_shifted=True,
        rules=(
            RuleCount(rule="not 50 to 79 years old: left out", rows=len(everybody) - len(of_age)),
            RuleCount(rule="under 3 valid days: left out", rows=len(of_age) - len(people)),
            RuleCount(rule="means over valid days placed on day 0", rows=len(people)),
            RuleCount(rule="mobility asked at the same visit placed on day 7", rows=len(people)),
            RuleCount(rule="survival not known at 60 months: left out", rows=unknown),
        ),
    )
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)], provenance


def _read(file: Path) -> pd.DataFrame:
    try:
        table = read_values(file, NEEDED)
    except SourceUnreadable as error:
        raise ContractError(
            f"{file}: {error.problem.found}", f"check the path; {error.problem.advice}"
        ) from error
    if missing := [column for column in NEEDED if column not in table.columns]:
        raise ContractError(
            f"{file}: no column {', '.join(missing)}", "check that this is the right file"
        )
    check_plain_ids(table, SUBJECT_COLUMN, FILE)
    return table


def _dated(
    people: pd.DataFrame, code: str, day: int, number: pd.Series | None = None
) -> pd.DataFrame:
    when = NOMINAL_ONSET + pd.Timedelta(days=day)
    events = _facts(people, code, number)
    return events.assign(**{TIME: pd.Series(when, index=events.index).astype("datetime64[us]")})


def _facts(people: pd.DataFrame, code: str, number: pd.Series | None) -> pd.DataFrame:
    values = pd.Series(float("nan"), index=people.index) if number is None else number.astype(float)
    events = pd.DataFrame({SUBJECT: people[SUBJECT_COLUMN], CODE: code, NUMBER: values})
    kept = events if number is None else events.dropna(subset=[NUMBER])
    return kept.reindex(columns=list(COLUMNS)).astype({TIME: "datetime64[us]", TEXT: object})


def _labels(people: pd.DataFrame, code: str, column: str, known: dict[object, str]) -> pd.DataFrame:
    labelled = people[people[column].notna()]
    if unknown := sorted(set(labelled[column]) - set(known), key=str):
        raise CohortInvalid(
            [
                Problem(
                    file=FILE,
                    row=None,
                    field=column,
                    found=f"{unknown[0]!r} is unknown, expected {', '.join(map(str, known))}",
                    advice="correct the label or leave the cell empty",
                )
            ]
        )
    return _facts(labelled, code, None).assign(**{TEXT: labelled[column].map(known).astype(object)})
