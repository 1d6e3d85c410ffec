"""A map that lies beside a source and was not named: it is told of, and never used by itself."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from contracts.naming.parsing import parsed_toml
from features.sources.column_map import LARGEST_MAP

NAME = "map.toml"
"""What the documentation calls a map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedMap:
    """A map that an import does without.

    Parameters
    ----------
    path
        Where it lies.
    of_tables
        Whether it says what the columns of tables mean; else it says what recordings leave out.
    """

    path: Path
    of_tables: bool


def unused_map(source: Path, map_file: Path | None) -> UnusedMap | None:
    """Return the map in a source's folder or next to it; None where one is used, or there is none.

    Parameters
    ----------
    source, map_file
        As `features.importing.import_source` takes them.
    """
    if map_file is not None:
        return None
    within = source if source.is_dir() else source.parent
    for path in (within / NAME, source.resolve().parent / NAME):
        keys = _keys(path)
        if keys and path.resolve() != source.resolve():
            return UnusedMap(path=path, of_tables="tables" in keys)
    return None


def _keys(path: Path) -> set[str]:
    try:
        if path.stat().st_size > LARGEST_MAP:
            return set()
        return set(parsed_toml(path.read_text("utf-8-sig")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return set()
