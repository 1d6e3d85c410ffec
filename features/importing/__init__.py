"""Imports a source, a file or a folder of subjects, as a cohort."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import pandas as pd

from contracts.cohort import SUBJECT, Cohort, Provenance, RuleCount
from contracts.errors import CohortInvalid, ContractError, Problem
from features.cohort import IMPORT_REPORT, check_new, write_cohort
from features.importing.assemble import assemble
from features.importing.collect import collect, source_files
from features.importing.import_map import ImportMap, read_import_map
from features.importing.people import PeopleTable, read_people
from features.importing.subject_jobs import JobRunner, job_results, jobs_by_subject
from features.recording import Collected
from features.sources import formats, tables
from features.sources.cohorts import (
    depresjon,
    lifesnaps,
    nhanes_minutes,
    nhanes_wrist,
    stroke_specs,
    welltory,
)
from features.sources.cohorts.cohort_files import columns_of
from features.sources.column_map import is_column_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A cohort, and what became of each file of its source.

    Parameters
    ----------
    cohort
        As written.
    read
        Files of which something was used.
    dropped, unreadable
        What was left out of those, and files of which nothing could be used, with place and reason.
    """

    cohort: Cohort
    read: tuple[str, ...]
    dropped: tuple[Problem, ...]
    unreadable: tuple[Problem, ...]


TABULAR: dict[str, Callable[[Path], tuple[pd.DataFrame, Provenance]]] = {
    stroke_specs.NAME: stroke_specs.import_stroke_specs,
    nhanes_wrist.NAME: nhanes_wrist.import_nhanes_wrist,
}
"""Whole cohorts that come as tables, without recordings."""

COHORTS = (depresjon, welltory, lifesnaps, nhanes_minutes)
"""Whole cohorts with a layout of their own; each has a NAME, matches its folder and collects it."""


def cohort_names() -> dict[str, ModuleType]:
    """Return the modules of whole cohorts by their name on the command line."""
    return {module.NAME: module for module in COHORTS}


def format_names() -> tuple[str, ...]:
    """Return every name that the command line accepts as FORMAT."""
    files = [known.name for known in formats.formats()]
    return (formats.AUTO, tables.NAME, *TABULAR, *cohort_names(), *files)


def import_source(
    source: Path,
    destination: Path,
    *,
    format_name: str = formats.AUTO,
    map_file: Path | None = None,
    runner: JobRunner | None = None,
) -> Imported:
    """Import a source; with the format `auto` its format is recognised by its content.

    Parameters
    ----------
    runner
        Collects the files elsewhere; by default they are collected in this process. What a runner
        collects is kept beside the destination until the cohort is written, so that an interrupted
        import can continue.

    Raises
    ------
    ContractError
        The source, the format's name or the map can't be used.
    CohortInvalid
        Nothing usable was found: the problem of every file; nothing was written.
    """
    if format_name not in format_names():
        raise ContractError(
            f"{format_name!r} is not a known format", f"use one of {', '.join(format_names())}"
        )
    chosen = _cohort_format(source) if format_name == formats.AUTO else format_name
    if runner and chosen in {tables.NAME, *TABULAR, *cohort_names()}:
        raise ContractError(
            f"{chosen} is read by a single process and cannot be distributed",
            "leave --engine out",
        )
    if read := TABULAR.get(chosen):
        events, provenance = read(source)
        cohort = write_cohort(events, provenance, destination)
        return Imported(cohort=cohort, read=(str(source),), dropped=(), unreadable=())
    if chosen == tables.NAME:
        found = tables.collect_tables(source)
        plan = ImportMap(dates_shifted=found.dates_shifted)
        return write_collected(
            found.collected, PeopleTable(), plan, destination,
            name=found.provenance.name, origin=found.provenance,
        )  # fmt: skip
    if module := cohort_names().get(chosen):
        collected: Collected = module.collect(source)
        return write_collected(collected, PeopleTable(), ImportMap(), destination, name=chosen)
    import_map = read_import_map(map_file)
    people = read_people(import_map, map_file.parent if map_file else source)
    files = source_files(source, import_map)
    results = destination.with_name(f".{destination.name}.collected")
    collected = Collected()
    if runner is None:
        for file in files:
            collected.add(collect(file, import_map, people.heights, chosen))
    else:
        check_new(destination)
        jobs = jobs_by_subject(files, import_map, people.heights, chosen, results)
        runner(jobs)
        for result in job_results(jobs):
            collected.add(result)
    imported = write_collected(collected, people, import_map, destination, name=source.name)
    shutil.rmtree(results, ignore_errors=True)
    return imported


def _cohort_format(source: Path) -> str:
    """Return the format of a whole cohort, or `auto` where each file is to be recognised alone."""
    if source.is_file():
        return tables.NAME if is_column_map(source) else formats.AUTO
    if any(set(stroke_specs.SCALE_COLUMNS) <= columns_of(file) for file in source.glob("*.csv")):
        return stroke_specs.NAME
    if nhanes_wrist.matches(source):
        return nhanes_wrist.NAME
    matching = (name for name, module in cohort_names().items() if module.matches(source))
    return next(matching, formats.AUTO)


def write_collected(
    collected: Collected,
    people: PeopleTable,
    import_map: ImportMap,
    destination: Path,
    *,
    name: str,
    origin: Provenance | None = None,
) -> Imported:
    """Turn what was collected into a cohort folder.

    Parameters
    ----------
    origin
        Where it comes from; by default recordings of the name.
    """
    with TemporaryDirectory() as folder:
        draft = Path(folder)
        events, ids, rules = assemble(collected, people, import_map, draft)
        if events.empty or not collected.read:
            raise CohortInvalid(collected.unreadable or _nothing(collected, rules.as_tuple()))
        used = set(events[SUBJECT])
        _write_report(collected, {label: n for label, n in ids.items() if n in used}, draft)
        provenance = origin or Provenance(
            name=import_map.name or name,
            source=f"recordings: {len(collected.read)} file(s) of {name}",
            simulated=False,
            details={"dropped": len(collected.dropped), "unreadable": len(collected.unreadable)},
        )
        provenance = replace(provenance, rules=(*provenance.rules, *rules.as_tuple()))
        cohort = write_cohort(events, provenance, destination, extra_files=draft)
    return Imported(
        cohort=cohort,
        read=tuple(collected.read),
        dropped=tuple(collected.dropped),
        unreadable=tuple(collected.unreadable),
    )


def _nothing(collected: Collected, rules: tuple[RuleCount, ...]) -> list[Problem]:
    counts = "; ".join(f"{rule.rule} ({rule.rows})" for rule in rules) or "no biomarker"
    problem = Problem(
        file="*",
        row=None,
        field="*",
        found=f"{len(collected.read)} file(s) were read but hold nothing that a cohort can use"
        f" ({counts})",
        advice="check that the files hold dated values or recordings",
    )
    return [*collected.dropped, problem]


def _write_report(collected: Collected, ids: dict[str, int], draft: Path) -> None:
    (draft / "metadata").mkdir(parents=True, exist_ok=True)
    record = {
        "subjects": {str(number): label for label, number in sorted(ids.items())},
        "read": collected.read,
        "dropped": [asdict(problem) for problem in collected.dropped],
        "unreadable": [asdict(problem) for problem in collected.unreadable],
    }
    (draft / IMPORT_REPORT).write_text(json.dumps(record, indent=1), "utf-8")
