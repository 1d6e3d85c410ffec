"""Imports a source, a file or a folder of subjects, as a cohort."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import pandas as pd

from contracts.cohort import SUBJECT, Cohort, Provenance, RuleCount
from contracts.errors import (
    CohortInvalid,
    ContractError,
    Problem,
    ReasonCount,
    counts_by_reason,
    grouped,
)
from contracts.vocabulary import NOTHING, Additions, learning
from contracts.vocabulary.additions import read_additions
from features.cohort import IMPORT_REPORT, check_new, write_cohort
from features.importing.assemble import assemble
from features.importing.collect import collect, source_files
from features.importing.copies import distinct_files, shared_problems
from features.importing.import_map import ImportMap, read_import_map
from features.importing.people import PeopleTable, read_people
from features.importing.subject_jobs import JobRunner, job_results, jobs_by_subject
from features.recording import Collected, SourceFile
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
        What was left out of those, and files of which nothing could be used, with place and reason;
        grouped by cause.
    """

    cohort: Cohort
    read: tuple[str, ...]
    dropped: tuple[Problem, ...] = ()
    unreadable: tuple[Problem, ...] = ()

    @property
    def left_out(self) -> tuple[ReasonCount, ...]:
        """How many things were left out, or must be looked at, by reason."""
        return counts_by_reason([*self.unreadable, *self.dropped])


TABULAR: dict[str, Callable[[Path], tuple[pd.DataFrame, Provenance]]] = {
    stroke_specs.NAME: stroke_specs.import_stroke_specs,
    nhanes_wrist.NAME: nhanes_wrist.import_nhanes_wrist,
    ist.NAME: ist.import_ist,
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
    require_there(chosen, source)
    with learning(_declared_codes(chosen, source, map_file)):
        return _imported(source, destination, chosen, map_file, runner, strict=strict)


def _declared_codes(chosen: str, source: Path, map_file: Path | None) -> Additions:
    """Return the codes that the source's map defines; nothing where it names no vocabulary."""
    if chosen == tables.NAME:
        named, folder = read_column_map(source).vocabulary, source.parent
    elif map_file is not None and chosen not in {*TABULAR, *cohort_names()}:
        named, folder = read_import_map(map_file).vocabulary, map_file.parent
    else:
        return NOTHING
    return read_additions(folder / named) if named else NOTHING


def _imported(
    source: Path, destination: Path, chosen: str, map_file: Path | None, runner: JobRunner | None,
    *, strict: bool,
) -> Imported:  # fmt: skip
    if read := TABULAR.get(chosen):
        events, provenance = read(source)
        labels = {number: str(number) for number in events[SUBJECT].unique().tolist()}
        cohort = write_cohort(events, provenance, destination, labels=labels)
        return Imported(cohort=cohort, read=(str(source),))
    target = Target(destination=destination, strict=strict)
    if chosen == tables.NAME:
        of_tables = tables.collect_tables(source)
        plan = ImportMap(dates_shifted=of_tables.dates_shifted)
        return write_collected(
            of_tables.collected, PeopleTable(), plan, target,
            name=of_tables.provenance.name, origin=of_tables.provenance,
        )  # fmt: skip
    if module := cohort_names().get(chosen):
        import_map = ImportMap(dates_shifted=getattr(module, "NOMINAL_DATES", False))
        collected: Collected = module.collect(source)
        return write_collected(collected, PeopleTable(), import_map, target, name=chosen)
    import_map = read_import_map(map_file)
    people = read_people(import_map, map_file.parent if map_file else source)
    found, notes = source_files(source, import_map, map_file)
    distinct = distinct_files(found, import_map)
    results = destination.with_name(f".{destination.name}.collected")
    collected = Collected(
        dropped=[*notes, *distinct.notes], unreadable=list(distinct.contradictory)
    )
    if runner is None:
        for file in distinct.files:
            collected.add(collect(file, import_map, people.heights, chosen))
    else:
        jobs = jobs_by_subject(distinct.files, import_map, people.heights, chosen, results)
        runner(jobs)
        for result in job_results(jobs):
            collected.add(result)
    try:
        imported = write_collected(
            collected, people, import_map, target,
            name=source.resolve().name, shared=distinct.shared,
        )  # fmt: skip
    except CohortInvalid:
        # Only an interrupted import leaves what it has collected, so that it can continue.
        shutil.rmtree(results, ignore_errors=True)
        raise
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
    if ist.matches(source):
        return ist.NAME
    matching = (name for name, module in cohort_names().items() if module.matches(source))
    return next(matching, formats.AUTO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a cohort is written, and whether anything may be left out of it."""

    destination: Path
    strict: bool = False


def write_collected(
    collected: Collected,
    people: PeopleTable,
    import_map: ImportMap,
    target: Target,
    *,
    name: str,
    origin: Provenance | None = None,
    shared: Sequence[Sequence[SourceFile]] = (),
) -> Imported:
    """Turn what was collected into a cohort folder.

    Parameters
    ----------
    name
        Of the source, and of a cohort whose map gives none.
    origin
        Where it comes from; by default recordings of the name.
    shared
        Files of the same content that are of several subjects.
    """
    with TemporaryDirectory() as folder:
        draft = Path(folder)
        events, ids, rules = assemble(collected, people, import_map, draft)
        used = set(events[SUBJECT].unique().tolist())
        labels = {number: label for label, number in ids.items() if number in used}
        dropped = grouped([*collected.dropped, *shared_problems(shared, labels.values())])
        unreadable = grouped(collected.unreadable)
        problems = (*unreadable, *dropped)
        if events.empty or not collected.read:
            nothing = [_nothing(collected, rules.as_tuple())] if collected.read else []
            raise CohortInvalid([*problems, *nothing])
        if target.strict and any(problem.needs_action for problem in problems):
            raise CohortInvalid([problem for problem in problems if problem.needs_action])
        provenance = origin or Provenance(
            name=import_map.name or name,
            source=f"recordings: {len(collected.read)} file(s) of {name}",
            simulated=False,
            details={"dropped": _count(dropped), "unreadable": _count(unreadable)},
        )
        provenance = replace(
            provenance,
            rules=(*provenance.rules, *rules.as_tuple()),
            dates_shifted=import_map.dates_shifted,
        )
        report = {
            "subjects": {str(number): label for number, label in sorted(labels.items())},
            "read": collected.read,
            "dropped": [asdict(problem) for problem in dropped],
            "unreadable": [asdict(problem) for problem in unreadable],
            "left_out": [asdict(reason) for reason in counts_by_reason(problems)],
        }
        (draft / IMPORT_REPORT).parent.mkdir(parents=True, exist_ok=True)
        (draft / IMPORT_REPORT).write_text(json.dumps(report, indent=1), "utf-8")
        cohort = write_cohort(
            events, provenance, target.destination, labels=labels, extra_files=draft
        )
    return Imported(
        cohort=cohort, read=tuple(collected.read), dropped=dropped, unreadable=unreadable
    )


def _count(problems: Sequence[Problem]) -> int:
    return sum(problem.count for problem in problems)


def _nothing(collected: Collected, rules: tuple[RuleCount, ...]) -> Problem:
    counts = "; ".join(f"{rule.rule} ({rule.rows})" for rule in rules) or "no biomarker"
    return Problem(
        file="*",
        row=None,
        field="*",
        found=f"{len(collected.read)} file(s) were read but hold nothing that a cohort can use"
        f" ({counts})",
        advice="check that the files hold dated values or recordings",
    )
