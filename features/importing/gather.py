"""Reads a source of any format into what it states, before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.cohort import Provenance
from contracts.digests import file_digest, record_digest
from contracts.errors import ContractError
from contracts.vocabulary import vocabulary
from features.cohort.imports import Rules
from features.importing.collect import collect, source_files
from features.importing.copies import distinct_files
from features.importing.import_map import ImportMap, read_import_map
from features.importing.people import PeopleTable, read_people
from features.importing.subject_jobs import JobRunner, job_results, jobs_by_subject
from features.recording import Collected, SourceFile
from features.sources.records.fhir_export import export_of, is_fhir
from features.sources.table_cohort import TableCohort, vocabulary_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What a source states.

    Parameters
    ----------
    collected, people, import_map
        As `features.importing.assemble` takes them.
    name
        Of the source, and of a cohort whose map gives none.
    file_format, digest, rules
        As the chain of imports records them.
    origin
        Where it comes from; None for recordings of the name.
    shared
        Files of the same content that are of several subjects.
    """

    collected: Collected
    people: PeopleTable
    import_map: ImportMap
    name: str
    file_format: str
    digest: str
    rules: Rules
    origin: Provenance | None = None
    shared: Sequence[Sequence[SourceFile]] = ()


def gather_tables(found: TableCohort, file_format: str) -> Gathered:
    """Return what a source of tables holds."""
    import_map = ImportMap(dates_shifted=found.dates_shifted, onset=found.onset)
    return Gathered(
        collected=found.collected,
        people=PeopleTable(),
        import_map=import_map,
        name=found.provenance.name,
        file_format=file_format,
        digest=_digest(found.files),
        rules=Rules(
            identity=found.identity,
            clock=found.clock,
            settings=_settings(import_map) | dict(found.settings),
        ),
        origin=found.provenance,
    )


def gather_cohort(name: str, collected: Collected, source: Path, *, nominal: bool) -> Gathered:
    """Return what a whole public cohort holds."""
    import_map = ImportMap(dates_shifted=nominal)
    files = [path for path in sorted(source.rglob("*")) if path.is_file()]
    return Gathered(
        collected=collected,
        people=PeopleTable(),
        import_map=import_map,
        name=name,
        file_format=name,
        digest=_digest({str(file.relative_to(source)): file for file in files}),
        rules=Rules(identity=(name,), clock="wall clock", settings=_settings(import_map)),
    )


def gather_recordings(
    source: Path, chosen: str, map_file: Path | None, runner: JobRunner | None, results: Path
) -> Gathered:
    """Read a file, or a folder of recordings and records.

    Parameters
    ----------
    results
        Where a runner keeps what it has collected, until the cohort is written.

    Raises
    ------
    ContractError
        The source or the map can't be used.
    """
    import_map = read_import_map(map_file)
    people_folder = map_file.parent if map_file else source
    people = read_people(import_map, people_folder)
    found, notes = source_files(source, import_map, map_file)
    distinct = distinct_files(found, import_map)
    collected = Collected(
        dropped=[*notes, *distinct.notes], unreadable=list(distinct.contradictory)
    )
    _require_known(import_map)
    if runner is None:
        for file in _of_one_export(distinct.files):
            collected.add(collect(file, import_map, people.heights, chosen))
    else:
        _require_apart(distinct.files)
        jobs = jobs_by_subject(distinct.files, import_map, people.heights, chosen, results)
        runner(jobs)
        for result in job_results(jobs):
            collected.add(result)
    files = {file.name: file.path for file in found}
    if map_file is not None:
        files["the map"] = map_file
    if import_map.people:
        files["the people"] = people_folder / import_map.people
    files |= vocabulary_file(import_map.vocabulary, people_folder)
    return Gathered(
        collected=collected,
        people=people,
        import_map=import_map,
        name=source.resolve().name,
        file_format=chosen,
        digest=_digest(files),
        rules=Rules(
            identity=("identifiers of recordings and records",),
            clock="wall clock",
            settings=_settings(import_map),
        ),
        shared=distinct.shared,
    )


def _bulk(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Return the FHIR files of a source itself, in nobody's folder: together they are an export."""
    found = [file for file in files if "/" not in file.name and is_fhir(file)]
    return found if len(found) > 1 else []


def _of_one_export(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Give FHIR files that are one export what they say about each other."""
    if not (bulk := _bulk(files)):
        return list(files)
    export = export_of(bulk)
    return [replace(file, export=export) if file.name in export.after else file for file in files]


def _require_apart(files: Sequence[SourceFile]) -> None:
    if bulk := _bulk(files):
        raise ContractError(
            f"{bulk[0].name} and {len(bulk) - 1} other FHIR file(s) are one export, which a single"
            " process reads",
            "leave --engine out, or give each person a folder",
        )


def _require_known(import_map: ImportMap) -> None:
    for each in import_map.codes:
        if each.means not in vocabulary():
            raise ContractError(
                f"the map's [[codes]] call {each.code!r} {each.means!r}, which is not in the"
                " vocabulary",
                "use one of its codes, or define it in a vocabulary (docs/vocabulary.md)",
            )


def _settings(import_map: ImportMap) -> dict[str, str]:
    """Return what a map declares of the cohort as a whole, and not of single files."""
    plan = import_map.planned_therapy_min_a_week
    return {
        "dates_shifted": str(import_map.dates_shifted).lower(),
        "planned_therapy_min_a_week": "not declared" if plan is None else f"{plan:g}",
        "onset": import_map.onset.model_dump_json(),
    }


def _digest(files: Mapping[str, Path]) -> str:
    """Return one digest for a source: the names and bytes of its files."""
    there = {name: file_digest(file) for name, file in files.items() if file.is_file()}
    return record_digest(there)
