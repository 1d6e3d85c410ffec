"""SHA-256 digests of files, folders and records, by which every change is detected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_digest(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a record's canonical JSON (sorted keys, no spaces, no NaN).

    Raises
    ------
    ValueError
        The record holds NaN or an infinity, which JSON cannot carry.
    """
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """Return one SHA-256 for all files below a folder: their relative names and their bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return record_digest({str(path.relative_to(folder)): file_digest(path) for path in files})


PACKAGES = (
    "contracts",
    "stores",
    "features",
    "inference",
    "training",
    "audits",
    "serving",
    "rehabcast",
)


def code_digest() -> str:
    """Return one SHA-256 for the source code that is running: the files of all its packages."""
    root = Path(__file__).parent.parent
    files = sorted(
        path
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.suffix in {".py", ".sql", ".toml", ".html", ".typ"}
    )
    return record_digest({str(path.relative_to(root)): file_digest(path) for path in files})
