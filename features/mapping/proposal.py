"""Looks at the tables of a source together, and proposes the map that reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.cohort import ENROLMENT, ONSET
from contracts.errors import CohortInvalid, ContractError, SourceUnreadable
from features.mapping.findings import (
    ColumnProposal,
    Finding,
    MapProposal,
    Note,
    Option,
    Reason,
    SourceNote,
    Standing,
    TableProposal,
    Why,
)
from features.mapping.looks import ColumnLook, TableLook, look_at_table
from features.mapping.names import is_called
from features.mapping.tables import DAYS, TIMES, is_day, table_proposals
from features.mapping.visits import by_visit

TABLE_NAMES = (".csv", ".tsv", ".txt", ".tab", ".parquet", ".csv.gz", ".tsv.gz")

FEWEST_SHARED = 0.5
"""Share of the identifiers of two tables that both have where they are the same people (local)."""


def propose_map(
    sources: Sequence[Path],
    folder: Path,
    export_of: Callable[[str, Path], str] = lambda _file, _path: "",
) -> MapProposal:
    """Return the map of some tables, as far as they prove it.

    Parameters
    ----------
    sources
        Files, and folders of files.
    folder
        Where the map will lie: it names its files from there.
    export_of
        Format of a file that is read without a map, empty for a plain table
        (`features.sources.formats.export_of`); a service reads no such files.

    Raises
    ------
    ContractError
        There are no tables, or they lie elsewhere than beside the map or in folders there.
    CohortInvalid
        Files that can't be read, each with what is wrong.
    """
    files = table_files(sources, folder)
    looks: list[TableLook] = []
    notes: list[SourceNote] = []
    unreadable = []
    for file, path in files.items():
        if known := export_of(file, path):
            notes.append(SourceNote(note=Note.KNOWN_EXPORT, file=file, facts=(known,)))
            continue
        try:
            looks.append(look_at_table(path, file))
        except SourceUnreadable as error:
            unreadable.append(error.problem)
    if unreadable:
        raise CohortInvalid(unreadable)
    if not looks:
        raise ContractError(
            "every file is an export that is known by its content",
            "import it without a map: rehabcast cohort import auto SOURCE COHORT",
        )
    clock = _clock(looks)
    tables: list[TableProposal] = []
    for look in looks:
        subject = _subject(look, looks)
        if subject is None:
            notes.append(SourceNote(note=Note.NO_SUBJECT, file=look.file))
            continue
        for part in by_visit(look, subject.options[0].value):
            tables += table_proposals(part, subject, clock.options[0].value)
    return MapProposal(
        name=_name(sources), findings=(clock,), tables=tuple(tables),
        notes=(*notes, *_lacking(tables, clock.options[0].value)),
    )  # fmt: skip


def table_files(sources: Sequence[Path], folder: Path) -> dict[str, Path]:
    """Return the tables among some files and folders, by their path from the map's folder.

    Raises
    ------
    ContractError
        One is not there or lies elsewhere, or there is none.
    """
    found: dict[str, Path] = {}
    base = folder.resolve()
    for source in sources:
        if not source.exists():
            raise ContractError(f"{source}: there is no such file or folder", "check the path")
        inside = sorted(source.iterdir()) if source.is_dir() else [source]
        for path in inside:
            if source.is_dir() and not (path.is_file() and path.name.endswith(TABLE_NAMES)):
                continue
            try:
                found[path.resolve().relative_to(base).as_posix()] = path
            except ValueError:
                raise ContractError(
                    f"{path} does not lie beside the map or in a folder there, and a map names its"
                    " files from where it lies",
                    f"write the map there: --output {path.parent / 'map.toml'}",
                ) from None
    if not found:
        raise ContractError(
            f"there is no table in {', '.join(map(str, sources))}",
            f"name files, or a folder with some ({', '.join(TABLE_NAMES)})",
        )
    return found


def _name(sources: Sequence[Path]) -> str:
    first = sources[0].resolve()
    return first.name if first.is_dir() else first.parent.name


def _clock(looks: Sequence[TableLook]) -> Finding:
    """Return the clock: dates where any table has some that are no dates of birth."""
    columns = [column for look in looks for column in look.columns.values()]
    has_times = any(
        column.dates is not None and not is_called(column.name, "identifying") for column in columns
    )
    has_days = any(is_called(c.name, "day") and is_day(c) for c in columns)
    times = Option(TIMES, (Reason(Why.DATES_THERE),) if has_times else ())
    days = Option(DAYS, (Reason(Why.DAYS_THERE),) if has_days else ())
    if has_times and has_days:
        return Finding("clock", Standing.GUESSED, (times, days))
    if not has_times and not has_days:
        return Finding("clock", Standing.ASKED, (times, days))
    return Finding("clock", Standing.PROVED, (times,) if has_times else (days,))


def _subject(look: TableLook, looks: Sequence[TableLook]) -> Finding | None:
    """Return the column with the identifiers: by its name, and by what other tables share."""
    others = [other for other in looks if other is not look]
    ranked = []
    for column in look.columns.values():
        called = is_called(column.name, "subject")
        # A file of one patient has one identifier; other columns of one value tell nobody apart.
        if column.dates is not None or len(column.filled) < (1 if called else 2):
            continue
        shared, partner = _shared(column, others)
        if called or shared >= FEWEST_SHARED:
            ranked.append((called + shared, called, shared, partner, column))
    ranked.sort(key=lambda row: row[0], reverse=True)
    if not ranked:
        return None
    options = tuple(
        Option(
            column.name,
            (
                *((Reason(Why.NAME, (column.name,)),) if called else ()),
                *((Reason(Why.SHARED, (partner,)),) if shared >= FEWEST_SHARED else ()),
            ),
        )
        for _, called, shared, partner, column in ranked
    )
    _, called, shared, _, _ = ranked[0]
    only_called = sum(row[1] for row in ranked) == 1
    sure = called and only_called and (shared >= FEWEST_SHARED or not others)
    return Finding("subject", Standing.PROVED if sure else Standing.GUESSED, options)


def _shared(column: ColumnLook, others: Sequence[TableLook]) -> tuple[float, str]:
    """Return the largest share of cells that a column has in common with one of another table."""
    mine = set(column.filled)
    best = (0.0, "")
    for other in others:
        for candidate in other.columns.values():
            theirs = set(candidate.filled)
            together = len(mine | theirs)
            share = len(mine & theirs) / together if together else 0.0
            if share > best[0] and candidate.dates is None:
                best = (share, other.file)
    return best


def _lacking(tables: Sequence[TableProposal], clock: str) -> list[SourceNote]:
    """Return what an import needs and the tables do not seem to have."""
    mapped: list[ColumnProposal] = [c for t in tables for c in t.columns if c.findings]
    codes = {f.options[0].value for c in mapped if (f := c.finding("code")) and f.options}
    notes = []
    if not mapped:
        notes.append(SourceNote(note=Note.NOTHING_KNOWN))
    if clock == TIMES and ONSET not in codes:
        notes.append(SourceNote(note=Note.NO_ONSET))
    if ENROLMENT not in codes:
        notes.append(SourceNote(note=Note.NO_ENROLMENT))
    return notes
