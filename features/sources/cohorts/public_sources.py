"""Where the public cohorts come from: none of them is in this repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.errors import ContractError


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSource:
    """The public source of a cohort.

    Parameters
    ----------
    title
        What it is.
    address
        Page or repository that has the files.
    commit
        Of the repository, as it was read; empty where the files are of a page.
    files
        What of it is read, and what has to be converted.
    licence
        As it states it.
    citation
        DOI of the publication.
    """

    title: str
    address: str
    commit: str = ""
    files: str
    licence: str
    citation: str


PUBLIC_SOURCES = {
    "stroke-specs": PublicSource(
        title="SPECS stroke recovery, 222 patients",
        address="https://github.com/SpecsLab/CriticalWindowForRecovery",
        commit="320e541bf3efa5e1703e74e564a2d52c01d8266f",
        files="Clinical_Scales_all.csv and patients_Demographics_and_ClinicalScreening.xlsx of its"
        " folder 'Datasets and Analysis/data', as they are",
        licence="GPL-3.0, of the repository",
        citation="doi:10.1152/jn.00762.2018",
    ),
    "ist": PublicSource(
        title="International Stroke Trial, 19,435 people",
        address="https://doi.org/10.7488/ds/104",
        files="its table as CSV; or data/IST.rda of https://github.com/hehta/RESIDE (commit"
        " 8e76733ecff3a89f44739a4fa21bf929ac802002), written as CSV",
        licence="ODC-By",
        citation="doi:10.7488/ds/104, Trials 12:101",
    ),
    "nhanes-wrist": PublicSource(
        title="NHANES 2011-2014, wrist accelerometry by person, 19,931 people",
        address="https://github.com/lilykoff/nhanes_steps_mortality",
        commit="c057161f05af2cdac6c0af1d28df386d6fe200c8",
        files="covariates_accel_mortality_df.rds, written as covariates_accel_mortality.csv.gz with"
        " factors as text",
        licence="US public domain (statistics only, no re-identification); for the derived step"
        " counts see PhysioNet's minute-level-step-count-nhanes 1.0.0",
        citation="PMID 39589008",
    ),
    "nhanes-minutes": PublicSource(
        title="NHANES 2003-2006, minutes of 218 people",
        address="https://github.com/cran/accelmissing",
        commit="ac97654556a9ddeff3888d431ca4cdefb912d9d4",
        files="data/acceldata.RData, written as minute_counts_218x7d.parquet and"
        " wear_flags_218x7d.parquet; and Covariate_C/D.rda with Mortality_2015_C/D.rda of"
        " https://github.com/andrew-leroux/rnhanesdata (commit"
        " b67cff02c33744dff7eb7400c7d42bbc4011ca31), merged by SEQN as"
        " covariates_mortality2015.csv.gz",
        licence="US public domain data in packages under the GPL",
        citation="doi:10.1007/s12561-018-09229-9",
    ),
    "depresjon": PublicSource(
        title="Depresjon, 23 patients and 32 controls",
        address="https://datasets.simula.no/depresjon",
        files="scores.csv, and all recordings in one activity_1min.parquet with the columns number,"
        " timestamp, activity",
        licence="not certain; for research only",
        citation="doi:10.1145/3204949.3208125",
    ),
    "welltory": PublicSource(
        title="Welltory COVID-19 and wearables, 185 people",
        address="https://github.com/Welltory/hrv-covid19",
        commit="7598150d18292a1b6e74e35bfaddd8d5fabc4b8b",
        files="its folder data",
        licence="CC0-1.0",
        citation="doi:10.1101/2021.07.02.21259891",
    ),
    "lifesnaps": PublicSource(
        title="LifeSnaps, 71 healthy volunteers",
        address="https://doi.org/10.1038/s41597-022-01764-x",
        files="the daily table as daily_fitbit_sema.csv.gz, and the surveys as survey_*.csv",
        licence="see its page",
        citation="doi:10.1038/s41597-022-01764-x",
    ),
}
"""By the name of the format that imports it."""


def where_to_get(name: str) -> str:
    """Return in a sentence where a public cohort comes from."""
    source = PUBLIC_SOURCES[name]
    commit = f" (commit {source.commit})" if source.commit else ""
    return (
        f"{source.title}: get it from {source.address}{commit}; needed: {source.files};"
        f" licence: {source.licence} (docs/cohorts.md)"
    )


def require_there(name: str, folder: Path) -> None:
    """Refuse to read a public cohort where there is nothing, and say where it comes from.

    Raises
    ------
    ContractError
        The folder does not exist or is empty.
    """
    if name in PUBLIC_SOURCES and not (folder.exists() and any(_within(folder))):
        raise ContractError(f"there is nothing of {name} in {folder}", where_to_get(name))


def _within(place: Path) -> list[Path]:
    return list(place.iterdir()) if place.is_dir() else [place]
