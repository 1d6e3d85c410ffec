"""A cohort for other programs: a plain MEDS folder, or CSV tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import meds
import pandas as pd
import pyarrow.parquet as pq

from contracts.cohort import CODE, NUMBER, SUBJECT, TIME, Cohort
from contracts.errors import ContractError
from contracts.vocabulary import Kind, vocabulary


def export(cohort: Cohort, folder: Path, destination: Path, form: str) -> list[Path]:
    """Write a cohort as `meds` or `csv`.

    Parameters
    ----------
    cohort, folder
        The cohort as read, and the folder that it was read from.
    destination
        New folder.
    form
        `meds`: data and metadata as MEDS has them, without minutes. `csv`: `events.csv` (all rows),
        `codes.csv` (name, unit and range of each code) and `days.csv` (one row per subject and day,
        one column per daily code, empty where not measured).

    Returns
    -------
    The files written.

    Raises
    ------
    ContractError
        The destination exists already, or the form is unknown.
    """
    if destination.exists():
        raise ContractError(
            f"{destination} exists already", "name a new folder, or remove it first"
        )
    if form not in {"meds", "csv"}:
        raise ContractError(f"{form!r} is not an export format", "use meds or csv")
    draft = destination.with_name(f".{destination.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    if form == "meds":
        for part in (meds.data_subdirectory, "metadata"):
            shutil.copytree(folder / part, draft / part)
    else:
        _csv(cohort, folder, draft)
    draft.rename(destination)
    return sorted(path for path in destination.rglob("*") if path.is_file())


def _csv(cohort: Cohort, folder: Path, destination: Path) -> None:
    events = cohort.events
    events.to_csv(destination / "events.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S")
    codes = pq.read_table(folder / meds.code_metadata_filepath).to_pandas()
    codes.drop(columns="parent_codes").to_csv(destination / "codes.csv", index=False)
    words = vocabulary()
    daily = events[events[CODE].map(lambda code: words[code].kind is Kind.DAILY)]
    days = daily.assign(day=daily[TIME].dt.strftime("%Y-%m-%d")).pivot(
        index=[SUBJECT, "day"], columns=CODE, values=NUMBER
    )
    pd.DataFrame(days).to_csv(destination / "days.csv")
