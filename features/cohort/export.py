"""A cohort for other programs: a plain MEDS folder, or CSV tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import meds
import pandas as pd

from contracts.cohort import CODE, NUMBER, SUBJECT, SUBJECT_LABEL, TIME, Cohort
from contracts.errors import ContractError
from contracts.vocabulary import Additions, Kind, added_among, vocabulary
from contracts.vocabulary.additions import VOCABULARY_FILE, as_toml
from features.cohort.metadata import code_table
from stores.folders import drafted


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
        `codes.csv` (name, unit and range of each code), `vocabulary.toml` (what its own codes mean,
        where it has any) and `days.csv` (one row per subject and day, one column per daily code,
        empty where not measured). The tables name the subject as the source does, beside its
        number.

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
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with drafted(destination) as draft:
            if form == "meds":
                for part in (meds.data_subdirectory, "metadata"):
                    if (folder / part).exists():
                        shutil.copytree(folder / part, draft / part)
            else:
                _csv(cohort, draft)
            draft.rename(destination)
    except OSError as error:
        raise ContractError(
            f"{destination}: cannot be written ({error.strerror or error})",
            "check the disk's free space and that you may write there",
        ) from error
    return sorted(path for path in destination.rglob("*") if path.is_file())


def _csv(cohort: Cohort, destination: Path) -> None:
    events = cohort.events.copy(deep=False)
    labels = {number: cohort.label(number) for number in events[SUBJECT].unique()}
    events.insert(1, SUBJECT_LABEL, events[SUBJECT].map(labels))
    events.to_csv(destination / "events.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S")
    if own := added_among(events[CODE].unique()).codes:
        (destination / VOCABULARY_FILE).write_text(
            as_toml(Additions(VOCABULARY_FILE, own)), "utf-8"
        )
    codes = code_table(events[CODE].unique()).to_pandas()
    codes.drop(columns="parent_codes").to_csv(destination / "codes.csv", index=False)
    words = vocabulary()
    daily = events[events[CODE].map(lambda code: words[code].kind is Kind.DAILY)]
    days = daily.assign(day=daily[TIME].dt.strftime("%Y-%m-%d")).pivot(
        index=[SUBJECT, SUBJECT_LABEL, "day"], columns=CODE, values=NUMBER
    )
    pd.DataFrame(days).to_csv(destination / "days.csv")
