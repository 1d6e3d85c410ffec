"""One subject's files as a job for any machine; its result is kept on disk, complete or not at all.

An import over many machines, or one that was interrupted, continues from what is kept here. A
subject is collected anew when one of its files, the map, the meaning of a code, a height or the
program's version changes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.errors import Problem
from contracts.vocabulary import added_among, learn, vocabulary
from contracts.vocabulary.additions import as_toml, parse_additions
from features.importing.collect import collect
from features.importing.import_map import ImportMap
from features.recording import BY_SUBJECT, Collected, SourceFile
from stores.folders import draft_of

INDEX = "index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectJob:
    """One subject's files, and all that is needed to collect them anywhere.

    Parameters
    ----------
    files
        With absolute paths, in the order of the import.
    import_map, heights, format_name
        As `collect` takes them.
    folder
        Where the result is kept.
    """

    files: tuple[SourceFile, ...]
    import_map: ImportMap
    heights: dict[str, float]
    format_name: str
    folder: Path

    def as_json(self) -> str:
        """Return it as text, for another machine; also what codes mean that are not shipped."""
        added = added_among(vocabulary(), "the codes of the import")
        record = {
            "files": [[str(file.path), file.name, file.subject_label] for file in self.files],
            "import_map": self.import_map.model_dump(mode="json", exclude_unset=True),
            "heights": self.heights,
            "format_name": self.format_name,
            "folder": str(self.folder),
            **({"codes": as_toml(added)} if added.codes else {}),
        }
        return json.dumps(record, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SubjectJob:
        """Return what `as_json` wrote; this process then knows the codes of the import."""
        record = json.loads(text)
        if (codes := record.get("codes")) is not None:
            learn(parse_additions(codes.encode(), "the codes of the import"))
        import_map = ImportMap.model_validate(record["import_map"])
        return cls(
            files=tuple(
                import_map.source_file(Path(path), name, label)
                for path, name, label in record["files"]
            ),
            import_map=import_map,
            heights=record["heights"],
            format_name=record["format_name"],
            folder=Path(record["folder"]),
        )


JobRunner = Callable[[Sequence[SubjectJob]], None]
"""Runs some subjects' jobs, anywhere."""


def jobs_by_subject(
    files: Sequence[SourceFile],
    import_map: ImportMap,
    heights: dict[str, float],
    format_name: str,
    folder: Path,
) -> list[SubjectJob]:
    """Return one job for each subject, subjects in the order of their first file."""
    files_of: dict[str, list[SourceFile]] = {}
    for file in files:
        files_of.setdefault(file.subject_label, []).append(replace(file, path=file.path.resolve()))
    return [
        SubjectJob(
            files=tuple(own_files),
            import_map=import_map,
            heights=heights,
            format_name=format_name,
            folder=folder.resolve() / hashlib.sha256(subject.encode()).hexdigest()[:16],
        )
        for subject, own_files in files_of.items()
    ]


def run_job(job: SubjectJob) -> None:
    """Collect one subject's files and keep what they hold, unless that is kept already."""
    digest = _input_digest(job)
    if _index(job.folder).get("made_from") == digest:
        return
    collected = Collected()
    for file in job.files:
        collected.add(collect(file, job.import_map, job.heights, job.format_name))
    _keep(collected, job.folder, digest)


def job_results(jobs: Sequence[SubjectJob]) -> Iterator[Collected]:
    """Yield what each finished job has kept."""
    for job in jobs:
        yield _restored(job.folder)


def _keep(collected: Collected, folder: Path, digest: str) -> None:
    """Write into a draft that takes the folder's name when it is complete."""
    draft = draft_of(folder)
    draft.mkdir(parents=True)
    names: dict[str, list[list[str]]] = {}
    for part in BY_SUBJECT:
        by_subject: dict[str, list[pd.DataFrame]] = getattr(collected, part)
        names[part] = [
            [subject, _write(table, draft)]
            for subject, tables in by_subject.items()
            for table in tables
        ]
    names["records"] = [["", _write(table, draft)] for table in collected.records]
    index = {
        "made_from": digest,
        "tables": names,
        "read": collected.read,
        "dropped": [asdict(problem) for problem in collected.dropped],
        "unreadable": [asdict(problem) for problem in collected.unreadable],
    }
    (draft / INDEX).write_text(json.dumps(index), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        draft.rename(folder)
    except OSError:
        # Another worker kept the same subject in the meantime: one of two alike is enough.
        if _index(folder).get("made_from") != digest:
            raise
        shutil.rmtree(draft)


def _write(table: pd.DataFrame, folder: Path) -> str:
    name = f"{len(list(folder.iterdir()))}.parquet"
    table.reset_index(drop=True).to_parquet(folder / name)
    return name


def _restored(folder: Path) -> Collected:
    index = _index(folder)
    collected = Collected(
        read=index["read"],
        dropped=[_problem(record) for record in index["dropped"]],
        unreadable=[_problem(record) for record in index["unreadable"]],
    )
    for part in BY_SUBJECT:
        for subject, name in index["tables"][part]:
            getattr(collected, part)[subject].append(pd.read_parquet(folder / name))
    collected.records = [pd.read_parquet(folder / name) for _, name in index["tables"]["records"]]
    return collected


def _problem(record: dict[str, Any]) -> Problem:
    return Problem(**{**record, "places": tuple(record["places"])})


def _index(folder: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((folder / INDEX).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return index


def _input_digest(job: SubjectJob) -> str:
    digest = hashlib.sha256(f"{version('rehabcast')} {job.as_json()}".encode())
    for file in job.files:
        try:
            with file.path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError:
            digest.update(b"cannot be opened")  # Collecting the file reports why.
    return digest.hexdigest()
