"""Files that are given twice: a copy of a file adds nothing to a subject, whatever its name."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import Problem, SourceUnreadable
from features.importing.import_map import ImportMap
from features.recording import SourceFile
from features.tables.packed import UNPACKING, opened, size_of_content

HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """The files of a source, each content once a subject.

    Parameters
    ----------
    files
        In their order.
    notes
        Copies that are not read again.
    contradictory
        Copies that are declared as different things: none of them is read.
    shared
        Files of one content that are of several subjects; all of them are read.
    """

    files: tuple[SourceFile, ...]
    notes: tuple[Problem, ...]
    contradictory: tuple[Problem, ...]
    shared: tuple[tuple[SourceFile, ...], ...]


def distinct_files(files: Sequence[SourceFile], import_map: ImportMap) -> Distinct:
    """Find copies among files; only files of one size are read for it."""
    left_out: dict[str, Problem] = {}
    contradictory: list[Problem] = []
    shared = []
    for same in _same_content(files):
        by_label: dict[str, list[SourceFile]] = defaultdict(list)
        for file in same:
            by_label[file.subject_label].append(file)
        for copies in by_label.values():
            if len(copies) == 1:
                continue
            kept = _to_keep(copies, import_map)
            problems = _contradiction(copies) if kept is None else _copies(copies, kept)
            left_out |= {problem.file: problem for problem in problems}
            contradictory += problems if kept is None else []
        if len(by_label) > 1:
            shared.append(tuple(copies[0] for copies in by_label.values()))
    return Distinct(
        files=tuple(file for file in files if file.name not in left_out),
        notes=tuple(note for note in left_out.values() if note not in contradictory),
        contradictory=tuple(contradictory),
        shared=tuple(shared),
    )


def shared_problems(
    shared: Iterable[Sequence[SourceFile]], labels: Iterable[str]
) -> tuple[Problem, ...]:
    """Return recordings that stand under several subjects.

    Parameters
    ----------
    labels
        Subjects of the cohort: files that have identifiers of their own name other subjects than
        the folders they lie in.
    """
    known = set(labels)
    problems = []
    for group in shared:
        files = [file for file in group if file.subject_label in known]
        if len(files) > 1:
            people = ", ".join(repr(file.subject_label) for file in files)
            others = ", ".join(file.name for file in files[1:])
            problems.append(
                Problem(
                    file=files[0].name,
                    row=None,
                    field="subject",
                    found=f"the same bytes as {others}: {people} have one recording, and it was"
                    " read for each of them",
                    advice="remove it where it is not the subject's own",
                    cause="one recording of several subjects",
                )
            )
    return tuple(problems)


def _to_keep(copies: Sequence[SourceFile], import_map: ImportMap) -> SourceFile | None:
    """Return the copy with the shortest name of those of which the map declares something.

    None where the map declares different things of them: nobody knows which is true.
    """
    declared = [(_declared(file, import_map), file) for file in copies]
    plain = _declared(SourceFile(path=Path(), name="", subject_label=""), ImportMap())
    special = [(what, file) for what, file in declared if what != plain] or declared
    if any(what != special[0][0] for what, _ in special):
        return None
    return min((file for _, file in special), key=lambda file: (len(file.name), file.name))


def _declared(file: SourceFile, import_map: ImportMap) -> tuple[object, ...]:
    """Return all that the map says of a file by its name."""
    form = import_map.form_of(file.name)
    return (
        form.time_zone if form else "",
        file.form.model_dump(exclude={"files", "time_zone"}),
        file.placement,
        import_map.signals_of(file.name),
        import_map.device_axes(file.name),
    )


def _copies(copies: Sequence[SourceFile], kept: SourceFile) -> list[Problem]:
    return [
        Problem(
            file=file.name,
            row=None,
            field="*",
            found=f"a copy of {kept.name}, it was not read again",
            cause="copies of files, not read again",
        )
        for file in copies
        if file is not kept
    ]


def _contradiction(copies: Sequence[SourceFile]) -> list[Problem]:
    names = ", ".join(file.name for file in copies)
    return [
        Problem(
            file=file.name,
            row=None,
            field="*",
            found=f"{names} have the same content, but the map declares different things of them;"
            " none of them was read",
            advice="remove the copies, or correct the map",
        )
        for file in copies
    ]


def _same_content(files: Sequence[SourceFile]) -> list[list[SourceFile]]:
    groups = [list(files)]
    for key in (_size, _head, _digest):
        groups = [same for group in groups for same in _alike(group, key)]
    return groups


def _alike(
    files: Sequence[SourceFile], key: Callable[[Path], object]
) -> Iterable[list[SourceFile]]:
    by_key: dict[object, list[SourceFile]] = defaultdict(list)
    for file in files:
        try:
            by_key[key(file.path)].append(file)
        except (*UNPACKING, SourceUnreadable):
            continue  # What can't be read is reported when it is collected.
    return [same for same in by_key.values() if len(same) > 1]


def _size(path: Path) -> int:
    if not path.stat().st_size:
        raise EOFError
    return size_of_content(path)


def _head(path: Path) -> bytes:
    with opened(path, path.name) as stream:
        return stream.read(HEAD_BYTES)


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with opened(path, path.name) as stream:
        while block := stream.read(1_048_576):
            digest.update(block)
    return digest.digest()
