"""A source of recordings, a file or a folder of subjects, becomes a cohort."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import pandas as pd

from contracts.cohort import SUBJECT, Cohort, Provenance, RuleCount
from contracts.errors import CohortInvalid, ContractError, Problem
from features.cohort import IMPORT_REPORT, check_new, write_cohort
from features.importing.assemble import assemble
from features.importing.collect import collect, source_files
from features.importing.import_map import Plan, read_people, read_plan
from features.importing.subject_jobs import Run, kept, shares_of
from features.recording import Collected, records
from features.sources import formats
from features.sources.cohorts import depresjon, lifesnaps, nhanes_minutes, welltory
from features.sources.cohorts.cohort_files import columns_of
from features.sources.cohorts.nhanes_wrist import FILE as NHANES_WRIST_FILE
from features.sources.cohorts.nhanes_wrist import import_nhanes_wrist
from features.sources.cohorts.stroke_specs import SCALE_COLUMNS, import_stroke_specs
from features.sources.tables import import_tables, is_column_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A cohort, and what became of each file.

    Parameters
    ----------
    cohort
        As written.
    read
        Files of which something was taken.
    dropped, unreadable
        What was left out of those, and files that gave nothing, each with place and reason.
    """

    cohort: Cohort
    read: tuple[str, ...]
    dropped: tuple[Problem, ...]
    unreadable: tuple[Problem, ...]


TABULAR: dict[str, Callable[[Path], tuple[pd.DataFrame, Provenance]]] = {
    "stroke-specs": import_stroke_specs,
    "nhanes-wrist": import_nhanes_wrist,
    "tables": import_tables,
}
"""Whole cohorts that come as tables, without recordings."""

COHORTS = (depresjon, welltory, lifesnaps, nhanes_minutes)
"""Whole cohorts with a layout of their own; each has a name, tells its folder, and collects it."""


def cohort_names() -> dict[str, ModuleType]:
    """Return the modules of whole cohorts by their name on the command line."""
    return {module.__name__.rsplit(".", 1)[-1].replace("_", "-"): module for module in COHORTS}


def format_names() -> tuple[str, ...]:
    """Return every FORMAT that an import takes."""
    files = [known.name for known in formats.formats()]
    return ("auto", *TABULAR, *cohort_names(), *files)


def import_source(
    source: Path,
    destination: Path,
    *,
    format_name: str = "auto",
    map_file: Path | None = None,
    run: Run | None = None,
) -> Imported:
    """Import a source, found by its content where the format is `auto`.

    Parameters
    ----------
    run
        Where to collect the files; by default here, in this process. What it collects is kept
        beside the destination until the cohort is written: an import that was broken off goes on.

    Raises
    ------
    ContractError
        The source, the format's name or the map can't be used.
    CohortInvalid
        Nothing sound was found: every file's problem; nothing was written.
    """
    if format_name not in format_names():
        raise ContractError(f"{format_name!r} is no format: use one of {', '.join(format_names())}")
    found_name = _cohort_format(source) if format_name == "auto" else format_name
    if run and found_name in {*TABULAR, *cohort_names()}:
        raise ContractError(f"{found_name} is read whole, by one process: leave --engine out")
    if read := TABULAR.get(found_name):
        events, provenance = read(source)
        cohort = write_cohort(events, provenance, destination)
        return Imported(cohort=cohort, read=(str(source),), dropped=(), unreadable=())
    if module := cohort_names().get(found_name):
        found: Collected = module.collect(source)
        return write_collected(found, records([]), Plan(), destination, name=found_name)
    plan = read_plan(map_file)
    people, heights = read_people(plan, map_file.parent if map_file else source)
    files = source_files(source, plan)
    place = destination.with_name(f".{destination.name}.collected")
    found = Collected()
    if run is None:
        for file in files:
            found.take(collect(file, plan, heights, found_name))
    else:
        check_new(destination)
        shares = shares_of(files, plan, heights, found_name, place)
        run(shares)
        for part in kept(shares):
            found.take(part)
    imported = write_collected(found, people, plan, destination, name=source.name)
    shutil.rmtree(place, ignore_errors=True)
    return imported


def _cohort_format(source: Path) -> str:
    """Tell a whole cohort's layout; `auto` where the source is none, so that files are asked."""
    if source.is_file():
        return "tables" if is_column_map(source) else "auto"
    if any(set(SCALE_COLUMNS) <= columns_of(file) for file in source.glob("*.csv")):
        return "stroke-specs"
    if (source / NHANES_WRIST_FILE).exists():
        return "nhanes-wrist"
    return next((name for name, m in cohort_names().items() if m.is_mine(source)), "auto")


def write_collected(
    found: Collected, people: pd.DataFrame, plan: Plan, destination: Path, *, name: str
) -> Imported:
    """Turn what was collected into a cohort folder."""
    with TemporaryDirectory() as place:
        draft = Path(place)
        events, ids, rules = assemble(found, people, plan, draft)
        if events.empty or not found.read:
            raise CohortInvalid(found.unreadable or _nothing(found, rules.as_tuple()))
        in_it = set(events[SUBJECT])
        _write_report(found, {who: n for who, n in ids.items() if n in in_it}, draft)
        provenance = Provenance(
            name=plan.name or name,
            source=f"recordings: {len(found.read)} file(s) of {name}",
            simulated=False,
            details={"dropped": len(found.dropped), "unreadable": len(found.unreadable)},
            rules=rules.as_tuple(),
        )
        cohort = write_cohort(events, provenance, destination, beside=draft)
    return Imported(
        cohort=cohort,
        read=tuple(found.read),
        dropped=tuple(found.dropped),
        unreadable=tuple(found.unreadable),
    )


def _nothing(found: Collected, rules: tuple[RuleCount, ...]) -> list[Problem]:
    said = "; ".join(f"{rule.rule} ({rule.rows})" for rule in rules) or "no biomarker"
    message = f"{len(found.read)} file(s) were read but hold nothing that a cohort can use: {said}"
    return [*found.dropped, Problem(file="*", row=None, field="*", found=message)]


def _write_report(found: Collected, ids: dict[str, int], draft: Path) -> None:
    (draft / "metadata").mkdir(parents=True, exist_ok=True)
    record = {
        "subjects": {str(number): who for who, number in sorted(ids.items())},
        "read": found.read,
        "dropped": [asdict(problem) for problem in found.dropped],
        "unreadable": [asdict(problem) for problem in found.unreadable],
    }
    (draft / IMPORT_REPORT).write_text(json.dumps(record, indent=1), "utf-8")
