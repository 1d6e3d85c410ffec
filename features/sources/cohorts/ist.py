"""Importer of the International Stroke Trial (Sandercock 2011, doi:10.7488/ds/104; ODC-By).

One table, one row a person, without identifiers of people: a person is numbered by the row, as a
spreadsheet counts it. Everything that a forecast may use was recorded before randomisation. The one
outcome is of six months after. Hospitals are numbered within a country.

Letters: N people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    RuleCounts,
)
from contracts.errors import ContractError
from contracts.vocabulary import vocabulary
from features.sources.cohorts.cohort_files import ADVICE, columns_of
from features.tables.text_tables import read_numbers, read_text_table

NAME = "ist"
"""As named on the command line."""

OUTCOME_DAY = 182
"""Nominal day of the outcome after enrolment: 26 weeks. Half of the answers came from day 175 to
209."""

ADULT = 18
AGE, OUTCOME, COUNTRY, HOSPITAL = "AGE", "OCCODE", "COUNTRY", "HOSPNUM"
ASPIRIN, HEPARIN = "RXASP", "RXHEP"
SCANNED, VISIBLE = "RCT", "RVISINF"

OUTCOMES = {1: 0, 2: 1, 3: 2, 4: 3}
"""From the trial's codes (1 dead, 2 dependent, 3 not recovered, 4 recovered) to a rank."""
UNKNOWN_OUTCOMES = (0, 9)

CONSCIOUSNESS = {"U": "0", "D": "1", "F": "2"}
YES_NO = {"Y": "yes", "N": "no"}
DEFICIT = {**YES_NO, "C": "not assessable"}
DEFICITS = (
    "FACE_DEFICIT", "ARM_DEFICIT", "LEG_DEFICIT", "DYSPHASIA", "HEMIANOPIA",
    "VISUOSPATIAL_DISORDER", "BRAINSTEM_SIGNS", "OTHER_DEFICIT",
)  # fmt: skip
"""In the order of the columns RDEF1 to RDEF8."""

LABELS: dict[str, tuple[str, Mapping[str, str]]] = {
    "SEX": ("REHABCAST//SEX", {"M": "male", "F": "female"}),
    "STYPE": (
        "REHABCAST//STROKE_SYNDROME",
        {
            "TACS": "total anterior", "PACS": "partial anterior", "LACS": "lacunar",
            "POCS": "posterior", "OTH": "other",
        },
    ),
    "RSLEEP": ("REHABCAST//WAKE_UP_STROKE", YES_NO),
    "RATRIAL": ("REHABCAST//ATRIAL_FIBRILLATION", YES_NO),
    VISIBLE: ("REHABCAST//INFARCT_VISIBLE", YES_NO),
    **{
        f"RDEF{number}": (f"REHABCAST//{name}", DEFICIT)
        for number, name in enumerate(DEFICITS, start=1)
    },
}  # fmt: skip
NUMBERS = {AGE: "REHABCAST//AGE", "RDELAY": "REHABCAST//ONSET_DELAY"}
ON_ENROLMENT = {
    "RCONSC": "REHABCAST//CONSCIOUSNESS",
    "RSBP": "REHABCAST//SYSTOLIC_PRESSURE",
}
NEEDED = (
    HOSPITAL, COUNTRY, OUTCOME, ASPIRIN, HEPARIN, SCANNED, *NUMBERS, *ON_ENROLMENT, *LABELS,
)  # fmt: skip

COUNTRIES = {
    "ARGE": "Argentina", "AUSL": "Australia", "AUST": "Austria", "BELG": "Belgium",
    "BRAS": "Brazil", "CANA": "Canada", "CHIL": "Chile", "CZEC": "Czech Republic",
    "DENM": "Denmark", "EIRE": "Ireland", "FINL": "Finland", "FRAN": "France", "GREE": "Greece",
    "HONG": "Hong Kong", "HUNG": "Hungary", "INDI": "India", "ISRA": "Israel", "ITAL": "Italy",
    "JAPA": "Japan", "NETH": "Netherlands", "NEW": "New Zealand", "NORW": "Norway",
    "POLA": "Poland", "PORT": "Portugal", "ROMA": "Romania", "SING": "Singapore",
    "SLOK": "Slovakia", "SLOV": "Slovenia", "SOUT": "South Africa", "SPAI": "Spain",
    "SRI": "Sri Lanka", "SWED": "Sweden", "SWIT": "Switzerland", "TURK": "Turkey",
    "UK": "United Kingdom", "USA": "United States",
}  # fmt: skip
"""The table shortens names; one that is not here stays as it is written."""


def matches(source: Path) -> bool:
    """Recognise the folder by the columns of its one table."""
    return len(_tables(source)) == 1


def read_ist(source: Path) -> pd.DataFrame:
    """Read the table as text, one row a person.

    Parameters
    ----------
    source
        The folder of the table, or the table itself.

    Returns
    -------
    Cells without surrounding blanks, empty where there is none; the index is the person's number.

    Raises
    ------
    ContractError
        There is not exactly one such table, or a row in it can't be told apart into cells.
    """
    found = _tables(source)
    if len(found) != 1:
        raise ContractError(
            f"{source}: {len(found)} tables have the columns of the International Stroke Trial,"
            " expected one",
            f"name the folder of its table; needed are {', '.join(NEEDED)}",
        )
    table = read_text_table(found[0], found[0].name)
    if table.problems:
        first = table.problems[0]
        raise ContractError(f"{found[0]}: row {first.row}: {first.found}", ADVICE)
    return table.cells


def import_ist(source: Path) -> tuple[pd.DataFrame, Provenance]:
    """Read the adults of the trial.

    Returns
    -------
    Events with `contracts.cohort.COLUMNS`, and where they come from with the rules applied.

    Raises
    ------
    ContractError
        See `read_ist`.
    """
    everybody = read_ist(source)
    age_N = read_numbers(everybody[AGE]).value_N
    people = everybody[~(age_N < ADULT)].copy()
    rules = RuleCounts()
    rules.count("under 18 years old: the person was left out", len(everybody) - len(people))
    unseen = (people[SCANNED] != "Y") & (people[VISIBLE] != "")
    rules.count("no scan before randomisation: visible infarct not recorded", int(unseen.sum()))
    people.loc[unseen, VISIBLE] = ""
    events = pd.concat(_events(people, rules), ignore_index=True)
    provenance = Provenance(
        name=NAME,
        source="International Stroke Trial, baseline and six months",
        simulated=False,
        dates_shifted=True,
        details={
            "citation": "doi:10.7488/ds/104; Sandercock 2011, Trials 12:101",
            "licence": "ODC-By",
            "outcome_day": OUTCOME_DAY,
        },
        rules=rules.as_tuple(),
    )
    return events[list(COLUMNS)], provenance


def _tables(source: Path) -> list[Path]:
    files = [source] if source.is_file() else sorted(source.glob("*.csv*"))
    return [file for file in files if set(NEEDED) <= columns_of(file)]


def _events(people: pd.DataFrame, rules: RuleCounts) -> Iterator[pd.DataFrame]:
    delay_N = _numbers(people, "RDELAY", "REHABCAST//ONSET_DELAY", rules)
    onset_N = np.full(len(people), NOMINAL_ONSET.to_datetime64(), dtype="datetime64[us]")
    hours_N = np.nan_to_num(delay_N).astype("timedelta64[h]")
    enrolled_N = onset_N + hours_N
    rules.count("no hours from onset to enrolment: enrolled at onset", int(np.isnan(delay_N).sum()))
    yield _rows(people, ONSET, time_N=onset_N)
    yield _rows(people, ENROLMENT, time_N=enrolled_N)
    yield _rows(people, NUMBERS["RDELAY"], number_N=delay_N)
    yield _rows(people, NUMBERS[AGE], number_N=_numbers(people, AGE, NUMBERS[AGE], rules))
    for column, (code, labels) in LABELS.items():
        yield _rows(people, code, text_N=_labels(people, column, labels, rules))
    pressure_N = _numbers(people, "RSBP", ON_ENROLMENT["RSBP"], rules)
    yield _rows(people, ON_ENROLMENT["RSBP"], time_N=enrolled_N, number_N=pressure_N)
    alertness_N = _labels(people, "RCONSC", CONSCIOUSNESS, rules).astype(np.float64)
    yield _rows(people, ON_ENROLMENT["RCONSC"], time_N=enrolled_N, number_N=alertness_N)
    yield from _places(people, rules)
    outcome_N = _outcomes(people, rules)
    seen_N = enrolled_N + np.timedelta64(OUTCOME_DAY, "D")
    yield _rows(people, "REHABCAST//STROKE_OUTCOME", time_N=seen_N, number_N=outcome_N)


def _places(people: pd.DataFrame, rules: RuleCounts) -> Iterator[pd.DataFrame]:
    """State country, hospital and what people were allocated to, none of which a model may use."""
    country = people[COUNTRY].map(lambda name: COUNTRIES.get(name, name))
    rules.count("no country", int((country == "").sum()))
    yield _rows(people, "REHABCAST//COUNTRY", text_N=_or_none(country))
    # Two countries may both have a hospital 12.
    number = read_numbers(people[HOSPITAL]).value_N
    written = [
        name if np.isnan(whole) else f"{whole:g}"
        for name, whole in zip(people[HOSPITAL].tolist(), number.tolist(), strict=True)
    ]
    site = (country + " ").where(country != "", "") + pd.Series(written, index=people.index)
    yield _rows(people, "REHABCAST//SITE", text_N=_or_none(site.where(people[HOSPITAL] != "", "")))
    drugs = "aspirin " + people[ASPIRIN] + ", heparin " + people[HEPARIN]
    known = (people[ASPIRIN] != "") & (people[HEPARIN] != "")
    yield _rows(people, "REHABCAST//TREATMENT", text_N=_or_none(drugs.where(known, "")))


def _outcomes(people: pd.DataFrame, rules: RuleCounts) -> NDArray[np.float64]:
    code_N = read_numbers(people[OUTCOME]).value_N
    outcome_N = pd.Series(code_N).map(OUTCOMES).to_numpy(dtype=np.float64)
    declared_N = (people[OUTCOME] == "").to_numpy() | np.isin(code_N, UNKNOWN_OUTCOMES)
    rules.count("outcome at six months not known: due and lost", int(declared_N.sum()))
    odd_N = np.isnan(outcome_N) & ~declared_N
    rules.count(f"{OUTCOME}: none of the trial's codes, left out", int(odd_N.sum()))
    rules.count(
        f"outcome of about six months placed on day {OUTCOME_DAY}, of the dead too",
        int(np.isfinite(outcome_N).sum()),
    )
    return outcome_N


def _numbers(
    people: pd.DataFrame, column: str, code: str, rules: RuleCounts
) -> NDArray[np.float64]:
    """Return a column's numbers, NaN where there is none or one that cannot be."""
    entry, value_N = vocabulary()[code], read_numbers(people[column]).value_N
    low, high = float(entry.low or 0), float(entry.high or 0)
    sound_N = (value_N >= low) & (value_N <= high)
    given_N = (people[column] != "").to_numpy()
    rules.count(
        f"{column}: no number of the possible ones, left out", int((given_N & ~sound_N).sum())
    )
    return np.where(sound_N, value_N, np.nan)


def _labels(
    people: pd.DataFrame, column: str, labels: Mapping[str, str], rules: RuleCounts
) -> NDArray[np.object_]:
    found = people[column].map(dict(labels))
    odd = found.isna() & (people[column] != "")
    rules.count(f"{column}: none of the trial's letters, left out", int(odd.sum()))
    return found.to_numpy(dtype=object)


def _or_none(words: pd.Series) -> NDArray[np.object_]:
    return words.where(words != "", None).to_numpy(dtype=object)


def _rows(
    people: pd.DataFrame,
    code: str,
    *,
    time_N: NDArray[np.datetime64] | None = None,
    number_N: NDArray[np.float64] | None = None,
    text_N: NDArray[np.object_] | None = None,
) -> pd.DataFrame:
    """Return an event for each person of whom there is a value."""
    events = pd.DataFrame({SUBJECT: people.index.to_numpy(dtype=np.int64), CODE: code})
    events[TIME] = pd.Series(time_N, index=events.index, dtype="datetime64[us]")
    events[NUMBER] = np.nan if number_N is None else number_N
    events[TEXT] = pd.Series(text_N, index=events.index, dtype=object)
    if number_N is not None:
        return events[np.isfinite(number_N)]
    return events if text_N is None else events[events[TEXT].notna()]
