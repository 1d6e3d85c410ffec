"""What was collected of one subject's files, kept on disk whole or not at all.

An import over many machines, or one that was broken off, goes on from what is kept here. A subject
is collected anew when one of its files, the map, a height or the program's version is another.
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
from uuid import uuid4

import pandas as pd

from contracts.errors import Problem
from features.importing.collect import collect
from features.importing.import_map import Plan
from features.recording import Collected, SourceFile

INDEX = "index.json"
BY_SUBJECT = ("minutes", "daily", "strides")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One subject's files, and all that is needed to collect them anywhere.

    Parameters
    ----------
    files
        With absolute paths, in the order of the import.
    plan, heights, format_name
        As `collect` takes them.
    place
        Folder that it is kept in.
    """

    files: tuple[SourceFile, ...]
    plan: Plan
    heights: dict[str, float]
    format_name: str
    place: Path

    def as_json(self) -> str:
        """Return it as text, for another machine."""
        record = {
            "files": [{**asdict(file), "path": str(file.path)} for file in self.files],
            "plan": self.plan.model_dump(mode="json"),
            "heights": self.heights,
            "format_name": self.format_name,
            "place": str(self.place),
        }
        return json.dumps(record, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Share:
        """Return what `as_json` wrote."""
        record = json.loads(text)
        files = tuple(SourceFile(**{**f, "path": Path(f["path"])}) for f in record["files"])
        return cls(
            files=files,
            plan=Plan.model_validate(record["plan"]),
            heights=record["heights"],
            format_name=record["format_name"],
            place=Path(record["place"]),
        )


Run = Callable[[Sequence[Share]], None]
"""Collects and keeps some subjects' files, anywhere."""


def shares_of(
    files: Sequence[SourceFile],
    plan: Plan,
    heights: dict[str, float],
    format_name: str,
    place: Path,
) -> list[Share]:
    """Return each subject's files as one share, subjects in the order of their first file."""
    by_who: dict[str, list[SourceFile]] = {}
    for file in files:
        by_who.setdefault(file.who, []).append(replace(file, path=file.path.resolve()))
    return [
        Share(
            files=tuple(mine),
            plan=plan,
            heights=heights,
            format_name=format_name,
            place=place.resolve() / hashlib.sha256(who.encode()).hexdigest()[:16],
        )
        for who, mine in by_who.items()
    ]


def collect_share(share: Share) -> None:
    """Collect one subject's files and keep what they hold, unless that is kept already."""
    made_from = _made_from(share)
    if _index(share.place).get("made_from") == made_from:
        return
    found = Collected()
    for file in share.files:
        found.take(collect(file, share.plan, share.heights, share.format_name))
    _keep(found, share.place, made_from)


def kept(shares: Sequence[Share]) -> Iterator[Collected]:
    """Yield what is kept of each subject."""
    for share in shares:
        yield _restored(share.place)


def _keep(found: Collected, place: Path, made_from: str) -> None:
    """Write into a draft that takes the place's name when it is whole."""
    draft = place.with_name(f".{place.name}.{uuid4().hex}")
    draft.mkdir(parents=True)
    names: dict[str, list[list[str]]] = {}
    for part in BY_SUBJECT:
        tables = [(who, table) for who, some in getattr(found, part).items() for table in some]
        names[part] = [[who, _write(table, draft)] for who, table in tables]
    names["records"] = [["", _write(table, draft)] for table in found.records]
    index = {
        "made_from": made_from,
        "tables": names,
        "read": found.read,
        "dropped": [asdict(problem) for problem in found.dropped],
        "unreadable": [asdict(problem) for problem in found.unreadable],
    }
    (draft / INDEX).write_text(json.dumps(index), "utf-8")
    shutil.rmtree(place, ignore_errors=True)
    try:
        draft.rename(place)
    except OSError:
        # Another worker kept the same subject in the meantime: one of two alike is enough.
        if _index(place).get("made_from") != made_from:
            raise
        shutil.rmtree(draft)


def _write(table: pd.DataFrame, folder: Path) -> str:
    name = f"{len(list(folder.iterdir()))}.parquet"
    table.reset_index(drop=True).to_parquet(folder / name)
    return name


def _restored(place: Path) -> Collected:
    index = _index(place)
    found = Collected(
        read=index["read"],
        dropped=[Problem(**problem) for problem in index["dropped"]],
        unreadable=[Problem(**problem) for problem in index["unreadable"]],
    )
    for part in BY_SUBJECT:
        for who, name in index["tables"][part]:
            getattr(found, part)[who].append(pd.read_parquet(place / name))
    found.records = [pd.read_parquet(place / name) for _, name in index["tables"]["records"]]
    return found


def _index(place: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((place / INDEX).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return index


def _made_from(share: Share) -> str:
    digest = hashlib.sha256(f"{version('rehabcast')} {share.as_json()}".encode())
    for file in share.files:
        try:
            with file.path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError:
            digest.update(b"cannot be opened")  # Collecting it tells why.
    return digest.hexdigest()
