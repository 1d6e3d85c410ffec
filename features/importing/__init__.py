"""Imports a source, a file or a folder of subjects, as a cohort."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd

from contracts.cohort import SUBJECT, Provenance
from contracts.errors import CohortInvalid, ContractError
from contracts.vocabulary import NOTHING, Additions, learning
from contracts.vocabulary.additions import read_additions
from features.cohort import check_new, write_cohort
from features.importing.gather import (
    Gathered,
    gather_cohort,
    gather_recordings,
    gather_tables,
)
from features.importing.growth import grow
from features.importing.import_map import read_import_map
from features.importing.subject_jobs import JobRunner
from features.importing.writing import Changes, Imported, Target, write_gathered
from features.recording import Collected
from features.sources import formats, tables
from features.sources.cohorts import (
    depresjon,
    ist,
    lifesnaps,
    nhanes_minutes,
    nhanes_wrist,
    stroke_specs,
    welltory,
)
from features.sources.cohorts.cohort_files import columns_of
from features.sources.cohorts.public_sources import require_there
from features.sources.column_map import is_column_map, read_column_map
from features.sources.hospital import omop, redcap

__all__ = ["Changes", "Imported", "format_names", "grow_cohort", "import_source"]

TABULAR: dict[str, Callable[[Path], tuple[pd.DataFrame, Provenance]]] = {
    stroke_specs.NAME: stroke_specs.import_stroke_specs,
    nhanes_wrist.NAME: nhanes_wrist.import_nhanes_wrist,
    ist.NAME: ist.import_ist,
}
"""Whole cohorts that come as tables, without recordings."""

COHORTS = (depresjon, welltory, lifesnaps, nhanes_minutes)
"""Whole cohorts with a layout of their own; each has a NAME, matches its folder and collects it."""


HOSPITAL = {module.NAME: module for module in (omop, redcap)}
"""Exports of a hospital's own database: folders whose tables a map of their own describes."""


def cohort_names() -> dict[str, ModuleType]:
    """Return the modules of whole cohorts by their name on the command line."""
    return {module.NAME: module for module in COHORTS}


def format_names() -> tuple[str, ...]:
    """Return every name that the command line accepts as FORMAT."""
    files = [known.name for known in formats.formats()]
    return (formats.AUTO, tables.NAME, *HOSPITAL, *TABULAR, *cohort_names(), *files)


def import_source(
    source: Path,
    destination: Path,
    *,
    format_name: str = formats.AUTO,
    map_file: Path | None = None,
    runner: JobRunner | None = None,
    strict: bool = False,
) -> Imported:
    """Import a source; with the format `auto` its format is recognised by its content.

    Parameters
    ----------
    strict
        Write nothing if anything was left out or must be looked at.
    runner
        Collects the files elsewhere; by default they are collected in this process. What a runner
        collects is kept beside the destination until the cohort is written, so that an interrupted
        import can continue.

    Raises
    ------
    ContractError
        The source, the format's name or the map can't be used.
    CohortInvalid
        Nothing usable was found, or not all of it where `strict`: every problem; nothing was
        written.
    """
    check_new(destination)
    chosen = _chosen(source, format_name, runner)
    require_there(chosen, source)
    with learning(_declared_codes(chosen, source, map_file)):
        if read := TABULAR.get(chosen):
            events, provenance = read(source)
            labels = {number: str(number) for number in events[SUBJECT].unique().tolist()}
            cohort = write_cohort(events, provenance, destination, labels=labels)
            return Imported(cohort=cohort, read=(str(source),))
        results = _results(destination)
        gathered = _gather(source, chosen, map_file, runner, results)
        try:
            imported = write_gathered(gathered, Target(destination=destination, strict=strict))
        except CohortInvalid:
            # Only an interrupted import leaves what it has collected, so that it can continue.
            shutil.rmtree(results, ignore_errors=True)
            raise
        shutil.rmtree(results, ignore_errors=True)
        return imported


def _declared_codes(chosen: str, source: Path, map_file: Path | None) -> Additions:
    """Return the codes that the source's map defines; nothing where it names no vocabulary."""
    if chosen == tables.NAME:
        named, folder = read_column_map(source).vocabulary, source.parent
    elif database := HOSPITAL.get(chosen):
        named = str(database.vocabulary_of(map_file))
        folder = source if map_file is None else map_file.parent
    elif map_file is not None and chosen not in {*TABULAR, *cohort_names()}:
        named, folder = read_import_map(map_file).vocabulary, map_file.parent
    else:
        return NOTHING
    return read_additions(folder / named) if named else NOTHING


def grow_cohort(
    source: Path,
    cohort: Path,
    *,
    format_name: str = formats.AUTO,
    map_file: Path | None = None,
    runner: JobRunner | None = None,
    strict: bool = False,
) -> Imported:
    """Add a source to a cohort: new people, new days and corrected values.

    Parameters
    ----------
    cohort
        Its folder; it is replaced as a whole at the end, or left as it is.
    format_name, map_file, runner, strict
        As `import_source` takes them.

    Raises
    ------
    ContractError
        As `import_source`; and the cohort can't grow, or not by this source.
    CohortInvalid
        As `import_source`; and the source contradicts what is known of people for life.
    """
    chosen = _chosen(source, format_name, runner)
    require_there(chosen, source)
    if chosen in TABULAR:
        raise ContractError(
            f"{chosen} is a public cohort that is complete, and is not added to another",
            "import it as a cohort of its own",
        )
    results = _results(cohort)
    try:
        with learning(_declared_codes(chosen, source, map_file)):
            return grow(
                cohort, lambda: _gather(source, chosen, map_file, runner, results), strict=strict
            )
    finally:
        shutil.rmtree(results, ignore_errors=True)


def _results(destination: Path) -> Path:
    return destination.with_name(f".{destination.name}.collected")


def _chosen(source: Path, format_name: str, runner: JobRunner | None) -> str:
    if format_name not in format_names():
        raise ContractError(
            f"{format_name!r} is not a known format", f"use one of {', '.join(format_names())}"
        )
    chosen = _cohort_format(source) if format_name == formats.AUTO else format_name
    if runner and chosen in {tables.NAME, *HOSPITAL, *TABULAR, *cohort_names()}:
        raise ContractError(
            f"{chosen} is read by a single process and cannot be distributed",
            "leave --engine out",
        )
    return chosen


def _gather(
    source: Path, chosen: str, map_file: Path | None, runner: JobRunner | None, results: Path
) -> Gathered:
    if chosen == tables.NAME:
        return gather_tables(tables.collect_tables(source), chosen)
    if database := HOSPITAL.get(chosen):
        return gather_tables(database.collect(source, map_file), chosen)
    if module := cohort_names().get(chosen):
        collected: Collected = module.collect(source)
        nominal = getattr(module, "NOMINAL_DATES", False)
        return gather_cohort(chosen, collected, source, nominal=nominal)
    return gather_recordings(source, chosen, map_file, runner, results)


def _cohort_format(source: Path) -> str:
    """Return the format of a whole cohort, or `auto` where each file is to be recognised alone."""
    if source.is_file():
        return tables.NAME if is_column_map(source) else formats.AUTO
    if any(set(stroke_specs.SCALE_COLUMNS) <= columns_of(file) for file in source.glob("*.csv")):
        return stroke_specs.NAME
    if nhanes_wrist.matches(source):
        return nhanes_wrist.NAME
    if ist.matches(source):
        return ist.NAME
    if found := [name for name, module in HOSPITAL.items() if module.matches(source)]:
        return str(found[0])
    matching = (name for name, module in cohort_names().items() if module.matches(source))
    return next(matching, formats.AUTO)
